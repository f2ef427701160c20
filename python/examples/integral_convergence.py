"""How the error of an integral falls with the samples, by every method: standard errors, distances from the exact value, a plot.

    python python/examples/integral_convergence.py --device auto --plot integral.png
"""

import argparse
import math

import unisono

METHODS = ["plain", "vegas", "sobol"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--dimensions", type=int, default=4)
    parser.add_argument("--width", type=float, default=0.2, help="of the Gaussian that is integrated over the unit cube")
    parser.add_argument("--most", type=int, default=22, help="up to 2^MOST samples")
    parser.add_argument("--plot", help="write a plot to this file (needs matplotlib)")
    args = parser.parse_args()

    names = [f"x{axis}" for axis in range(args.dimensions)]
    expr = "exp(-(" + " + ".join(f"({name} - 0.5)**2" for name in names) + ") / (2*width**2))"
    box = {name: (0, 1) for name in names}
    side = args.width * math.sqrt(2 * math.pi) * math.erf(0.5 / (args.width * math.sqrt(2)))
    exact = side**args.dimensions

    lines = {}
    for method in METHODS:
        # A state keeps its samples: each step draws only what is new.
        round = 2**10 if method == "vegas" else None
        state = unisono.IntegralState(expr, box, seed=args.seed, params={"width": args.width}, method=method, round=round)
        print(f"\n{method}\n{'samples':>12} {'estimate':>14} {'standard error':>15} {'off by':>10}  95 % interval")
        lines[method] = []
        for power in range(11, args.most + 1):
            integral = state.integrate(2**power, device=args.device)
            low, high = integral.interval(0.95)
            off = float(integral) - exact
            print(f"{integral.samples:12,} {float(integral):14.10f} {integral.standard_error:15.2e} {off:10.1e}  {low:.8f} ... {high:.8f}")
            lines[method].append((integral.samples, integral.standard_error, abs(off)))
    if args.plot:
        plot(lines, args.plot)


def plot(lines, file):
    """Standard errors (lines) and distances from the exact value (dots)."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    for method, steps in lines.items():
        samples, errors, off = zip(*steps)
        (line,) = plt.loglog(samples, errors, "-", label=method)
        plt.loglog(samples, off, ".", color=line.get_color())
    plt.xlabel("samples")
    plt.ylabel("standard error, and distance from the integral")
    plt.legend()
    plt.savefig(file, dpi=150)


if __name__ == "__main__":
    main()
