"""Every constant of the protocol: change one, and another network begins. docs/protocol.md says each in its place."""

# values in order
BLOCK = 64  # values that share an exponent in an update
CHUNK = 256  # values of one leaf
BLOCKS = CHUNK // BLOCK  # of a chunk

# the grids: a value is an integer times 2^-VALUE_POWER, and so on
VALUE_POWER = 32
GRADIENT_POWER = 48
PRODUCT_POWER = VALUE_POWER + GRADIENT_POWER  # of a gradient with an update

# an update's int8 value: 7 bits and a sign, shifted by an exponent; a float32 value: below 2^38 of the grid
UPDATE_DIGITS, UPDATE_MAX_EXPONENT = 7, 31
FLOAT32_POWER = 38
TOPK_CHUNKS, TOPK_KEPT, TOPK_DIGITS, TOPK_MAX_EXPONENT = 16, 58, 3, 35  # of a leaf of topk

# a gradient's value: 15 bits and a sign, shifted by the exponent of its chunk
GRADIENT_DIGITS, GRADIENT_MAX_EXPONENT = 15, 47
GRADIENT_LEAF = 2 * CHUNK + 1  # bytes

# the gradients of a round
BATCH = 64  # samples: it changes the bits of a gradient
GAUSS_LEGENDRE = (0.2113248654051871, 0.7886751345948129)  # nodes on [0, 1], each of weight 1/2
GRADIENT_TOLERANCE = 1e-4  # relative L2 distance at most of two machines' gradients, once quantised
LOSS_TOLERANCE = 1e-3  # relative distance at most of their losses
METRIC_TOLERANCE = 20  # a metric may be off by one part in it, or of 1 where it is below: a row or two
PUBLIC_ROUNDS = 64  # the rounds before one whose shards its members train on

# weights and scores
WEIGHT_UNITS = 1 << 20  # the weights of a round add up to at most this
MILLION = 10**6  # cosines, memories, losses and scores are millionths
GATE_DEVIATIONS = 5  # standard deviations of a random direction's cosine that a memory must exceed

# trees
TOTALS_STEP = 32  # chunks from one running total of a product to the next
COMMIT_KIND, PASS_KIND = 0, 1  # of a leaf of the commits tree: a byte
ROWS_DEPTH = 20  # of commits, rows, inputs and accounts: room for 2^20 of them
NO_ROW = (1 << 32) - 1  # of an account that no row of the round moved
SHARDS_DEPTH = 16

# ways by the chain
FORCED_REVEAL_MARGIN = 8  # the last part, one of so many, of a reveal period is not for forced reveals
ATTESTERS = 15  # members that are drawn to attest that an update can be had: about so many of a large round

# formats
UPDATE_MAGIC, GRADIENT_MAGIC = b"CWU1", b"CWG1"
MANIFEST_FORMAT = "manifest/2"
MAX_MANIFEST = 1 << 25  # bytes: about 30,000 nodes
MAX_HEADER = 1 << 20  # bytes
MAX_TENSORS = 100_000
MAX_RANK = 32
MAX_VALUES = 1 << 40
MAX_TEXT = 1_000  # characters of a text in a manifest or a card
CARD_FORMAT = "card/1"
MAX_CARD = 1 << 18  # bytes
MAX_NAME = 100  # characters of the name of a task, or of its metric
MAX_SETTINGS = 128
MAX_EVALUATORS = 64
MAX_STOP_ROUNDS = 100  # that a card's rule to stop compares with as many before
# JSON
MAX_INTEGER = (1 << 53) - 1  # a larger integer is a decimal string
MAX_JSON_VALUES = 1 << 20  # of one object, whatever its size in bytes: bounds the memory that reading takes
MAX_JSON_DEPTH = 64  # of objects and lists in one another: deeper ones can crash a parser
# content
CONTENT_LEAF = 1 << 20  # bytes
CONTENT_LINKS = 1024  # children of a node
# signed messages
DOMAIN_NAME, DOMAIN_VERSION = "Commonweight", "1"
MAX_AHEAD = 300  # seconds from now to the expiry of a call, at most
