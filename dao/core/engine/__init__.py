"""How the arithmetic is fast: a numpy reference, compiled loops equal to the bit, hashing by OpenSSL."""
