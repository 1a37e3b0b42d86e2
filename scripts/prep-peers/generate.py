"""Makes a pair of raw files in the form and of the size of the Electronics category of 2014.

The data of the release cannot travel with this repository, and the time that a preparation takes depends on the
form, the size and the number of distinct keys, not on what the reviews say. So the counts are the published ones,
and the fields, their lengths, quotes and escapes are like those of the release; the words mean nothing.
"""

import argparse
import gzip
import json
import os
import random
import time

USERS, GOODS, CATEGORIES, REVIEWS, PRODUCTS = 192_403, 63_001, 801, 1_689_188, 498_196
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="folder for the two files")
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on all counts")
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    draw = random.Random(arguments.seed)
    users, goods, categories, reviews, products = (
        max(10, round(count * arguments.scale)) for count in (USERS, GOODS, CATEGORIES, REVIEWS, PRODUCTS)
    )
    reviews = max(reviews, 5 * users)
    words = Words(draw)
    keys = distinct(draw, products, lambda: "B00" + "".join(draw.choices(LETTERS, k=7)))
    reviewed = keys[:goods]
    events = pairs(draw, users, reviewed, reviews)
    write_reviews(os.path.join(arguments.out, "reviews_Electronics_5.json.gz"), draw, words, users, events)
    write_metadata(os.path.join(arguments.out, "meta_Electronics.json.gz"), draw, words, keys, goods, categories)


class Words:
    """Text of roughly the statistics of English: few words often, many rarely."""

    def __init__(self, draw):
        syllables = [a + b for a in "b c d f g l m n p r s t th st w".split() for b in "a e i o u ea or in er".split()]
        self.draw = draw
        self.words = ["".join(draw.choices(syllables, k=draw.choice((1, 1, 2, 2, 3)))) for _ in range(12_000)]
        self.words[40], self.words[55] = "it's", "don't"
        self.words[300], self.words[500] = '6"', "caf\u00e9"
        total, self.weights = 0.0, []
        for rank in range(len(self.words)):
            total += 1 / (rank + 3)
            self.weights.append(total)

    def text(self, shortest, longest):
        """Words of that many bytes together, with sentences, quotations and now and then a line break."""
        draw = self.draw
        wanted = draw.randint(shortest, longest)
        words = draw.choices(self.words, cum_weights=self.weights, k=1 + wanted // 5)
        for place in range(11, len(words), 12):
            words[place] += draw.choice((".", ".", "!", ",", ' "so" -'))
        text = " ".join(words)[:wanted]
        return text + "\n\n" + text[:40] if draw.random() < 0.05 else text


def distinct(draw, count, make):
    found = {}
    while len(found) < count:
        found[make()] = None
    return list(found)


def pairs(draw, users, reviewed, reviews):
    """(good, user) of each review: five for every user, at least one for every good, sorted by good."""
    sizes = [5] * users
    for _ in range(reviews - 5 * users):
        # The square gives the long tail: few users with many reviews.
        sizes[int(users * draw.random() ** 2.5)] += 1
    total, weights = 0.0, []
    for rank in range(len(reviewed)):
        total += 1 / (rank + 20) ** 0.8
        weights.append(total)
    due = reviewed[:]
    draw.shuffle(due)
    events = []
    for user, size in enumerate(sizes):
        own = {due.pop() for _ in range(min(size, len(due), 1))}
        while len(own) < min(size, len(reviewed)):
            own.add(draw.choices(reviewed, cum_weights=weights)[0])
        events.extend((good, user) for good in sorted(own))
    events.sort()
    return events


def write_reviews(path, draw, words, users, events):
    names = distinct(draw, users, lambda: "A" + "".join(draw.choices(LETTERS, k=draw.choice((12, 13)))))
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=6) as out:
        for good, user in events:
            day = draw.randint(10_957, 16_200)
            date = time.gmtime(day * 86_400)
            voters = draw.choice((0, 0, 0, 1, 2, 9))
            review = {
                "reviewerID": names[user],
                "asin": good,
                "reviewerName": words.text(5, 20).replace("\n", " "),
                "helpful": [draw.randint(0, voters), voters],
                "reviewText": words.text(500, 900),
                "overall": float(draw.randint(1, 5)),
                "summary": words.text(10, 50).replace("\n", " "),
                "unixReviewTime": day * 86_400,
                "reviewTime": f"{date.tm_mon:02d} {date.tm_mday}, {date.tm_year}",
            }
            out.write(json.dumps(review) + "\n")


def write_metadata(path, draw, words, keys, goods, categories):
    """Python literals as Python 2 wrote them, with `\\xe9` for a letter outside of ASCII.

    The reviewed goods stand first in `keys`, in the file anywhere.
    """
    # A number in each name, so that exactly so many are distinct.
    names = [f"{words.text(6, 24).title()} {number}" for number in range(categories)]
    products = [(key, names[number % categories]) for number, key in enumerate(keys)]
    products.sort()
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=6) as out:
        for key, category in products:
            paths = [["Electronics", draw.choice(names), category]]
            if draw.random() < 0.2:
                paths.insert(0, ["Cell Phones & Accessories", "Kid's", draw.choice(names)])
            record = {
                "asin": key,
                "imUrl": f"http://ecx.example.com/images/I/{key}L._SX300_.jpg",
                "description": words.text(200, 900),
                "categories": paths,
                "title": words.text(30, 90).replace("\n", " "),
            }
            if draw.random() < 0.7:
                record["price"] = round(draw.uniform(1, 400), 2)
            if draw.random() < 0.4:
                record["salesRank"] = {"Electronics": draw.randint(1, 900_000)}
            if draw.random() < 0.75:
                kinds = ["also_bought", "also_viewed", "bought_together", "buy_after_viewing"]
                record["related"] = {
                    kind: draw.choices(keys, k=draw.randint(0, most)) for kind, most in zip(kinds, (60, 30, 3, 4))
                }
            if draw.random() < 0.3:
                record["brand"] = words.text(4, 12).replace("\n", " ")
            out.write(ascii(record) + "\n")


if __name__ == "__main__":
    main()
