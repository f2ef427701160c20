// Words of 32 bits from standard input, low byte first, through a battery of TestU01 (L'Ecuyer and Simard, ACM TOMS 33, 2007).
//
//     apt-get install libtestu01-0-dev       # Debian's section non-free
//     gcc -O2 -o testu01 scripts/testu01.c -ltestu01 -ltestu01probdist -ltestu01mylib -lm
//     target/release/examples/random_stream --generator philox4x32-10 | ./testu01 small|crush|big [reversed]
//
// The tests look at the first bits of a word most; `reversed` shows them the last bits first.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <testu01/bbattery.h>
#include <testu01/swrite.h>
#include <testu01/unif01.h>

static uint32_t words[1 << 16];
static size_t at, count;

static unsigned int next(void) {
    if (at == count) {
        count = fread(words, sizeof words[0], sizeof words / sizeof words[0], stdin);
        at = 0;
        if (count == 0) {
            fprintf(stderr, "testu01: the stream ended before the battery did\n");
            exit(1);
        }
    }
    return words[at++];
}

static unsigned int reversed(void) {
    uint32_t x = next();
    x = x >> 16 | x << 16;
    x = (x >> 8 & 0x00ff00ff) | (x & 0x00ff00ff) << 8;
    x = (x >> 4 & 0x0f0f0f0f) | (x & 0x0f0f0f0f) << 4;
    x = (x >> 2 & 0x33333333) | (x & 0x33333333) << 2;
    return (x >> 1 & 0x55555555) | (x & 0x55555555) << 1;
}

int main(int argc, char **argv) {
    const char *battery = argc > 1 ? argv[1] : "";
    int backwards = argc > 2 && strcmp(argv[2], "reversed") == 0;
    if (argc > 3 || (argc > 2 && !backwards)) {
        battery = "";
    }
    unif01_Gen *generator = unif01_CreateExternGenBits("stream", backwards ? reversed : next);
    swrite_Basic = FALSE;
    if (strcmp(battery, "small") == 0) {
        bbattery_SmallCrush(generator);
    } else if (strcmp(battery, "crush") == 0) {
        bbattery_Crush(generator);
    } else if (strcmp(battery, "big") == 0) {
        bbattery_BigCrush(generator);
    } else {
        fprintf(stderr, "usage: testu01 small|crush|big [reversed] < words\n");
        return 2;
    }
    unif01_DeleteExternGenBits(generator);
    return 0;
}
