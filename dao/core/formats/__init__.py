"""The protocol's formats: every byte and every JSON field that is stored, signed or sent."""
