#!/usr/bin/env python3
"""Writes src/random/quantiles.bin: the polynomials by which uniform integers become normal and exponential numbers.

A quantile z is looked up by an odd integer v of 32 or 64 bits, read as the fraction p = v / 2^bits. The leading zeros of v
choose an octave of p, its next three bits one of eight segments, and the bits r below them the place in the segment. With
s = !r, which grows away from the segment's upper end, all coefficients are positive, so that Horner's rule needs nothing but
unsigned integers:

    32 bits: a = c6; a = c5 + (a s >> 32) .. c1 + (a s >> 32); z = c0 + (a s >> 8)
    64 bits: a = c11; a = c10 + (a s >> 64) .. c1 + (a s >> 64); z = c0 + (a s >> 72)

z and c0 have 58 bits after the point, the other coefficients 34 (32 bits) or 66 (64 bits). The file holds, least significant
byte first: the normal tail -Phi^-1(p / 2) for 32 bits (octaves 0 to 31, each row c0 in 64 bits and c1 .. c6 in 32) and for 64
bits (octaves 0 to 63, rows of twelve 64-bit numbers), then octave 0 of the exponential -ln p in both forms; in octave k it is
k ln 2 more. Needs mpmath; run it from the repository's root. It prints the largest errors of a sample.
"""

import random
import struct
from pathlib import Path

from mpmath import mp, mpf

mp.dps = 50
POINT, SEGMENTS = 58, 8


def normal(p):
    return mp.sqrt(2) * mp.erfinv(1 - p)


def exponential(p):
    return -mp.log(p)


def row(quantile, bits, octave, segment, degree):
    """The coefficients of one segment: interpolation in the Chebyshev nodes."""
    high = mpf(2) ** (-octave - 1) * (1 + mpf(segment + 1) / SEGMENTS)
    width = mpf(2) ** (-octave - 1) / SEGMENTS
    nodes = [(1 + mp.cos(mp.pi * (2 * i + 1) / (2 * degree + 2))) / 2 for i in range(degree + 1)]
    if quantile is normal and (octave, segment) == (0, SEGMENTS - 1):
        # Odd about the median: nodes on both sides leave no even powers, which would come out with either sign.
        nodes = [2 * s - 1 for s in nodes]
    values = [mp.sign(s) * quantile(high - width * (abs(s) + mpf(2) ** -bits)) if s else mpf(0) for s in nodes]
    # Newton's divided differences, then expanded to powers.
    for level in range(1, degree + 1):
        for i in range(degree, level - 1, -1):
            values[i] = (values[i] - values[i - 1]) / (nodes[i] - nodes[i - level])
    powers = [mpf(0)] * (degree + 1)
    for i in range(degree, -1, -1):
        shifted = [mpf(0)] + powers[:-1]
        powers = [up - nodes[i] * same for up, same in zip(shifted, powers)]
        powers[0] += values[i]
    scale = 34 if bits == 32 else 66
    powers = [mp.chop(c, mpf(2) ** -bits / 64) for c in powers]
    integers = [int(mp.nint(powers[0] * 2**POINT))] + [int(mp.nint(c * mpf(2) ** scale)) for c in powers[1:]]
    assert all(0 <= c < 2**bits for c in integers[1:]) and 0 <= integers[0] < 2**64, (octave, segment, integers)
    return integers


def evaluate(table, bits, v):
    octave = bits - v.bit_length()
    m = v << octave
    segment = m >> (bits - 4) & 7
    s = ~(m << 4) & (2**bits - 1)
    c = table[SEGMENTS * octave + segment]
    a = c[-1]
    for more in c[-2:0:-1]:
        a = more + (a * s >> bits)
        assert a < 2**bits
    return c[0] + (a * s >> (8 if bits == 32 else 72))


def check(name, table, quantile, bits):
    """The largest error in units of 2^-53, and of the last place of binary32 or binary64."""
    draw, worst, places = random.Random(1), mpf(0), mpf(0)
    for i in range(4000):
        v = draw.getrandbits(bits) >> (draw.randrange(bits) if i % 2 else 0) | 1
        exact = quantile(mpf(v) / 2**bits)
        error = abs(mpf(evaluate(table, bits, v)) / 2**POINT - exact)
        place = mpf(2) ** (mp.floor(mp.log(exact, 2)) - (23 if bits == 32 else 52))
        worst, places = max(worst, error), max(places, error / place if exact > 2**-8 else 0)
    print(f"{name} {bits}: at most 2^{float(mp.log(worst, 2)):.1f}, {float(places):.4f} of the last place above 2^-8")


def main():
    out = b""
    for name, quantile in [("normal", normal), ("exponential", exponential)]:
        for bits, degree in [(32, 6), (64, 11)]:
            octaves = range(bits if name == "normal" else 1)
            table = [row(quantile, bits, octave, segment, degree) for octave in octaves for segment in range(SEGMENTS)]
            out += b"".join(struct.pack("<Q6I" if bits == 32 else "<12Q", *c) for c in table)
            if name == "exponential":
                ln2 = int(mp.nint(mp.log(2) * mpf(2) ** 120))
                table = [[c[0] + (k * ln2 >> 62), *c[1:]] for k in range(bits) for c in table]
            check(name, table, quantile, bits)
    print(f"ln 2 = {int(mp.nint(mp.log(2) * mpf(2)**120)):#x} / 2^120; {len(out)} bytes")
    Path("src/random/quantiles.bin").write_bytes(out)


if __name__ == "__main__":
    main()
