#!/usr/bin/env python3
"""Writes src/random/joe_kuo.txt: the primitive polynomials and first direction numbers of Sobol sequences.

They are those of Joe and Kuo's file new-joe-kuo-6.21201 ("Constructing Sobol sequences with better two-dimensional
projections", SIAM J. Sci. Comput. 30, 2008), in its format: dimension d, degree s, the polynomial's inner coefficients a, and
m_1 .. m_s. Either give that file as the argument, or nothing: SciPy holds the same numbers. Run it from the repository's root.
"""

import sys
from pathlib import Path

DIMENSIONS = 1024


def lines_of_scipy():
    import numpy
    import scipy.stats

    table = numpy.load(Path(scipy.stats.__file__).parent / "_sobol_direction_numbers.npz")
    for dimension in range(2, DIMENSIONS + 1):
        polynomial = int(table["poly"][dimension - 1])
        degree = polynomial.bit_length() - 1
        inner = (polynomial >> 1) & ((1 << (degree - 1)) - 1)
        yield [dimension, degree, inner, *map(int, table["vinit"][dimension - 1][:degree])]


if len(sys.argv) > 1:
    rows = [list(map(int, line.split())) for line in Path(sys.argv[1]).read_text().splitlines()[1:DIMENSIONS]]
else:
    rows = list(lines_of_scipy())
for dimension, degree, inner, *numbers in rows:
    assert len(numbers) == degree and inner < 1 << degree
    assert all(number % 2 == 1 and number < 2 << k for k, number in enumerate(numbers))
text = "".join(" ".join(map(str, row)) + "\n" for row in rows)
Path("src/random/joe_kuo.txt").write_text("d s a m_i\n" + text)
