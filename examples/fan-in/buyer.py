"""Asks everybody who offers a tea, and says which offer is the best.

python buyer.py URL TEA [--count N] [--timeout SECONDS]        e.g.  python buyer.py ./data green

One request goes to every instance of `offers`; their answers come in as each is ready. Whoever is
too slow is left out after the time, and named: the purchase does not wait for the slowest. Each
has stated its name when it began to serve.
"""

import argparse

import telpher


def arguments() -> argparse.Namespace:
    """What was said on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("tea")
    parser.add_argument("--count", type=int, default=0, help="offers that are enough; 0: all")
    parser.add_argument("--timeout", type=float, default=2.0, help="seconds; 2 if not stated")
    return parser.parse_args()


def main() -> None:
    """Gather the offers, and choose."""
    given = arguments()
    best: tuple[int, str] | None = None
    with telpher.open(given.url) as hub:
        gather = hub.gather("offers", given.tea.encode(), count=given.count, timeout=given.timeout)
        for answer in gather:
            # Whoever has stated no name is told by its number.
            name = answer.instance_name or str(answer.instance)
            if answer.error is not None:
                print(f"no offer from {name}: {answer.error}")
                continue
            price = int(answer.body)
            print(f"offer: {name} {price}")
            best = min(best or (price, name), (price, name))
        end = gather.result()
    for missing in end.missing:
        print(f"missing: {missing.instance_name or missing.instance} ({missing.error.kind})")
    print(f"asked {end.asked}, {end.answered} offers, {end.failed} without one")
    print(f"best: {best[1]} {best[0]}" if best else "best: nobody")


if __name__ == "__main__":
    main()
