/** Draws lines or bars over rounds with uPlot, which is loaded only when a chart is shown. */

import { html, useEffect, useRef, useState } from "../html.js";

const HEIGHT = 220;
const COLOURS = 8; // --series-1 … in css/base.css
const INCREMENTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10000]; // rounds between two labels
const darkScheme = matchMedia("(prefers-color-scheme: dark)");
let library = null;

function loadLibrary() {
  library ??= Promise.all([import("../../vendor/uplot/uPlot.esm.js"), loadSheet()]).then(
    ([module]) => module.default,
  );
  return library;
}

function loadSheet() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("../../vendor/uplot/uPlot.min.css", import.meta.url).href;
  return new Promise((resolve, reject) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", () => reject(new Error("the chart's style cannot be read")));
    document.head.append(link);
  });
}

/**
 * A chart under its title. `x` are rounds, `series` are {label, values: [number|null]}, `format` writes a
 * value; `hasBars` draws bars, which begin at zero, `isStacked` bars on top of each other,
 * `tick` writes a value beside the chart, as `format` does where it is not given.
 */
export function Chart(props) {
  const { label, unit, x } = props;
  return html`
    <figure>
      <figcaption>${label}${unit && html`<span class="soft"> in ${unit}</span>`}</figcaption>
      ${x.length ? html`<${Plot} ...${props} />` : html`<p class="empty">No round has a result yet.</p>`}
    </figure>
  `;
}

function Plot(props) {
  const { label, unit, x, series } = props;
  const box = useRef(null);
  const plot = useRef(null);
  const latest = useRef(null);
  latest.current = props;
  const isDark = useDarkScheme();
  const names = [label, ...series.map((one) => one.label)].join("\n");
  const data = getData(props);
  useEffect(() => {
    let isGone = false;
    loadLibrary().then((uPlot) => {
      if (isGone) return;
      const options = makeOptions(uPlot, latest.current, box.current.clientWidth || 600);
      plot.current = new uPlot(options, getData(latest.current), box.current);
    });
    return () => {
      isGone = true;
      plot.current?.destroy();
      plot.current = null;
    };
  }, [names, isDark]);
  useEffect(() => {
    plot.current?.setData(data);
  }, [JSON.stringify(data)]);
  useEffect(() => {
    const sizes = new ResizeObserver(() => {
      const width = box.current?.clientWidth;
      if (plot.current && width) plot.current.setSize({ width, height: HEIGHT });
    });
    sizes.observe(box.current);
    return () => sizes.disconnect();
  }, []);
  const summary = `${[label, unit].filter(Boolean).join(", ")}, ${x.length} rounds; the table below has its numbers`;
  return html`<div class="round-chart" role="img" aria-label=${summary} ref=${box} />`;
}

/** Returns whether the reader's machine shows dark pages; a chart's colours do not follow by themselves. */
function useDarkScheme() {
  const [isDark, setDark] = useState(darkScheme.matches);
  useEffect(() => {
    const follow = () => setDark(darkScheme.matches);
    darkScheme.addEventListener("change", follow);
    return () => darkScheme.removeEventListener("change", follow);
  }, []);
  return isDark;
}

/** Returns what uPlot draws: stacked bars as their ends, the furthest first, so that the nearer ones cover them. */
function getData({ x, series, isStacked = false }) {
  const values = series.map((one) => one.values);
  return [x, ...(isStacked ? stack(values).toReversed() : values)];
}

/** Returns where each bar ends on top of those before it: up from zero for what is positive, down for the rest. */
function stack(series) {
  const ends = [new Map(), new Map()]; // of the bars so far, by round: above zero, below it
  return series.map((values) =>
    values.map((value, index) => {
      const end = ends[value < 0 ? 1 : 0];
      end.set(index, (end.get(index) ?? 0) + (value ?? 0));
      return value === null ? null : end.get(index);
    }),
  );
}

/**
 * Returns a range from zero to the values that are furthest from it, with some room; 0 to 1 where all are
 * zero.
 */
function computeRange(_, low, high) {
  const [from, to] = [Math.min(low ?? 0, 0), Math.max(high ?? 0, 0)];
  if (from === to) return [0, 1];
  const room = (to - from) * 0.08;
  return [from && from - room, to && to + room];
}

function makeOptions(uPlot, { unit, series, hasBars, isStacked = false, format, tick = format }, width) {
  const style = getComputedStyle(document.documentElement);
  const getColour = (name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: getColour("--soft"),
    font: `12px ${style.getPropertyValue("font-family") || "system-ui, sans-serif"}`,
    grid: { stroke: getColour("--line"), width: 1 },
    ticks: { show: false },
  };
  const makeSeries = ({ label, values, colour: fixed }, index) => {
    const colour = getColour(fixed ?? `--series-${(index % COLOURS) + 1}`);
    const value = (_, drawn, __, at) => {
      const number = isStacked ? values[at] : drawn;
      return number === null || number === undefined ? "" : `${format(number)} ${unit}`.trim();
    };
    const line = {
      label,
      value,
      stroke: colour,
      width: 2,
      points: { size: 6, fill: getColour("--surface") },
    };
    const paths = hasBars && uPlot.paths.bars({ size: [0.6, 28] });
    return hasBars ? { ...line, width: 0, fill: colour, points: { show: false }, paths } : line;
  };
  const arrange = (drawn) => (isStacked ? drawn.toReversed() : drawn);
  return {
    width,
    height: HEIGHT,
    padding: [12, 12, 0, 0],
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: (_, low, high) => [low - 0.6, high + 0.6] },
      y: hasBars ? { range: computeRange } : {},
    },
    axes: [
      { ...axis, grid: { show: false }, incrs: INCREMENTS },
      { ...axis, size: 64, values: (_, ticks) => ticks.map((one) => tick(one)) },
    ],
    series: [{ label: "Round", value: (_, round) => round ?? "" }, ...arrange(series.map(makeSeries))],
  };
}
