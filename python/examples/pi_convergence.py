"""Monte Carlo pi to a standard error, in steps that a checkpoint keeps, and a plot of how the error falls.

    python python/examples/pi_convergence.py --device auto --standard-error 1e-5 --plot pi.png
"""

import argparse
import math

import unisono


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--standard-error", type=float, default=1e-5)
    parser.add_argument("--checkpoint", help="go on from this file, and keep the samples in it")
    parser.add_argument("--plot", help="write a plot to this file (needs matplotlib)")
    args = parser.parse_args()

    state, target, steps = unisono.MonteCarloState(args.seed), 1e-2, []
    print(f"{'samples':>16} {'estimate':>12} {'standard error':>15} {'off by':>10}  95 % interval")
    while True:
        target = max(target / 2, args.standard_error)
        state.extend(standard_error=target, device=args.device, checkpoint=args.checkpoint)
        pi = state.estimate()
        low, high = pi.confidence_interval()
        steps.append((pi.samples, pi.standard_error, abs(float(pi) - math.pi)))
        print(f"{pi.samples:16,} {float(pi):12.8f} {pi.standard_error:15.2e} {float(pi) - math.pi:10.1e}  {low:.8f} ... {high:.8f}")
        if target <= args.standard_error:
            break

    if args.plot:
        import matplotlib

        matplotlib.use("agg")
        import matplotlib.pyplot as plt

        samples, errors, off = zip(*steps)
        plt.loglog(samples, errors, "-", label="standard error")
        plt.loglog(samples, off, "o", label="distance from pi")
        plt.xlabel("samples")
        plt.legend()
        plt.title("Monte Carlo pi: the error falls as one over the root of the samples")
        plt.savefig(args.plot, dpi=150)


if __name__ == "__main__":
    main()
