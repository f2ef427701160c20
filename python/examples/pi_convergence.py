"""Monte Carlo pi to a standard error, in steps that a checkpoint keeps, and a plot of how the error of every method falls.

    python python/examples/pi_convergence.py --device auto --method sobol --standard-error 1e-7 --plot pi.png
"""

import argparse
import math

import unisono

METHODS = ["plain", "antithetic", "reflected", "stratified", "sobol"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--method", choices=METHODS, default="plain")
    parser.add_argument("--standard-error", type=float, default=1e-5)
    parser.add_argument("--checkpoint", help="go on from this file, and keep the samples in it")
    parser.add_argument("--plot", help="write a plot of all methods to this file (needs matplotlib)")
    args = parser.parse_args()

    state, target = unisono.MonteCarloState(args.seed, args.method), 1e-2
    print(f"{'samples':>16} {'estimate':>14} {'standard error':>15} {'off by':>10}  95 % interval")
    while True:
        target = max(target / 2, args.standard_error)
        state.extend(standard_error=target, device=args.device, checkpoint=args.checkpoint)
        pi = state.estimate()
        low, high = pi.confidence_interval()
        print(f"{pi.samples:16,} {float(pi):14.10f} {pi.standard_error:15.2e} {float(pi) - math.pi:10.1e}  {low:.10f} ... {high:.10f}")
        if target <= args.standard_error:
            break
    print(f"as good as {pi.equivalent_samples:.3g} plain samples")

    if args.plot:
        plot(args)


def plot(args):
    """The standard errors of every method (lines), and how far the estimates are from pi (dots)."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    for method in METHODS:
        state, steps = unisono.MonteCarloState(args.seed, method, bits=32), []
        for power in range(16, 32, 2):
            state.extend(2**power, device=args.device)
            pi = state.estimate()
            steps.append((pi.samples, pi.standard_error, abs(float(pi) - math.pi)))
        samples, errors, off = zip(*steps)
        (line,) = plt.loglog(samples, errors, "-", label=method)
        plt.loglog(samples, off, ".", color=line.get_color())
    plt.xlabel("samples")
    plt.ylabel("standard error, and distance from pi")
    plt.legend()
    plt.savefig(args.plot, dpi=150)


if __name__ == "__main__":
    main()
