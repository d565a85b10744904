/** Draws lines or bars over rounds with uPlot, which is loaded only when a chart is shown. */

import { h } from "./dom.js";

const HEIGHT = 220;
const COLOURS = 8; // --series-1 … in css/base.css
let library = null;

function load() {
  library ??= Promise.all([import("../vendor/uplot/uPlot.esm.js"), sheet()]).then(
    ([module]) => module.default,
  );
  return library;
}

function sheet() {
  const href = new URL("../vendor/uplot/uPlot.min.css", import.meta.url).href;
  const link = h("link", { rel: "stylesheet", href });
  return new Promise((resolve, reject) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", () => reject(new Error("the chart's style cannot be read")));
    document.head.append(link);
  });
}

/** A chart; model {unit, x: [round], series: [{label, values: [number|null]}], bars, format(number)}. */
class RoundChart extends HTMLElement {
  #model = null;
  #plot = null;
  #drawn = "";
  #sizes = new ResizeObserver(() => this.#fit());
  #scheme = matchMedia("(prefers-color-scheme: dark)");
  #redraw = () => this.#draw(true);

  get model() {
    return this.#model;
  }

  set model(model) {
    this.#model = model;
    if (this.isConnected) this.#draw();
  }

  connectedCallback() {
    this.setAttribute("role", "img");
    this.#sizes.observe(this);
    this.#scheme.addEventListener("change", this.#redraw);
    this.#draw();
  }

  disconnectedCallback() {
    this.#sizes.disconnect();
    this.#scheme.removeEventListener("change", this.#redraw);
    this.#plot?.destroy();
    this.#plot = null;
    this.#drawn = "";
  }

  #fit() {
    if (this.#plot && this.clientWidth) this.#plot.setSize({ width: this.clientWidth, height: HEIGHT });
  }

  async #draw(anew = false) {
    const { label, unit, x, series } = this.#model;
    this.setAttribute("aria-label", `${label}, ${unit}, ${x.length} rounds; the table below has its numbers`);
    const uPlot = await load();
    if (!this.isConnected) return;
    const shape = series.map((one) => one.label).join("\n");
    const data = [x, ...series.map((one) => one.values)];
    if (this.#plot && this.#drawn === shape && !anew) {
      this.#plot.setData(data);
      return;
    }
    this.#plot?.destroy();
    this.#plot = new uPlot(options(uPlot, this.#model, this.clientWidth || 600), data, this);
    this.#drawn = shape;
  }
}

/** From zero to the values that are furthest from it, with some room; 0 to 1 where all are zero. */
function fromZero(_, low, high) {
  const [from, to] = [Math.min(low ?? 0, 0), Math.max(high ?? 0, 0)];
  if (from === to) return [0, 1];
  const room = (to - from) * 0.08;
  return [from && from - room, to && to + room];
}

function options(uPlot, { unit, series, bars, format }, width) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const font = `12px ${style.getPropertyValue("font-family") || "system-ui, sans-serif"}`;
  const axis = {
    stroke: colour("--soft"),
    font,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT,
    padding: [12, 12, 0, 0],
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: (_, low, high) => [low - 0.6, high + 0.6] },
      y: bars ? { range: fromZero } : {},
    },
    axes: [
      { ...axis, grid: { show: false }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10000] },
      { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => format(tick)) },
    ],
    series: [
      { label: "Round", value: (_, round) => round ?? "" },
      ...series.map((one, index) => ({
        label: one.label,
        stroke: colour(`--series-${(index % COLOURS) + 1}`),
        width: 2,
        value: (_, value) => (value === null || value === undefined ? "" : `${format(value)} ${unit}`),
        ...(bars
          ? {
              points: { show: false },
              paths: uPlot.paths.bars({ size: [0.6, 28] }),
              fill: colour(`--series-${index + 1}`),
              width: 0,
            }
          : { points: { size: 6, fill: colour("--surface") } }),
      })),
    ],
  };
}

customElements.define("round-chart", RoundChart);

/** A chart under its title. */
export function chart(model) {
  return h(
    "figure",
    { "data-key": `chart-${model.label}` },
    h("figcaption", {}, model.label, h("span", { class: "soft" }, ` in ${model.unit}`)),
    model.x.length ? h("round-chart", { model }) : h("p", { class: "empty" }, "No round has a result yet."),
  );
}
