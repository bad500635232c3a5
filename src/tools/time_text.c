// SPDX-License-Identifier: Apache-2.0
//
// Times and durations as people type and read them. Everything is UTC: what a tool prints must not
// depend on the machine's zone. The calendar is computed here (Howard Hinnant's civil-day
// arithmetic), since the C library's reads the environment.
#include <stdio.h>
#include <string.h>

#include "tools/output.h"

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };

static const int64_t day_ms = INT64_C(24) * HOUR_MS;

struct civil {
    int64_t year;
    int month; // 1..12
    int day;   // 1..31
    int hour;
    int minute;
    int second;
    int ms;
    int weekday; // 0 = Sunday
    int year_day; // 0..365
};

static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_from_ms(int64_t wall_ms)
{
    int64_t days = wall_ms / day_ms - (wall_ms % day_ms < 0);
    int64_t rest = wall_ms - days * day_ms;
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct civil c = {
        .day = (int)(doy - (153 * mp + 2) / 5 + 1),
        .month = (int)(mp < 10 ? mp + 3 : mp - 9),
        .hour = (int)(rest / HOUR_MS),
        .minute = (int)(rest / MINUTE_MS % 60),
        .second = (int)(rest / SECOND_MS % 60),
        .ms = (int)(rest % SECOND_MS),
        .weekday = (int)(((days + 4) % 7 + 7) % 7),
    };
    c.year = yoe + era * 400 + (c.month <= 2);
    c.year_day = (int)(days - days_from_civil(c.year, 1, 1));
    return c;
}

static const char *const day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};
static const char *const month_names[] = {"January", "February", "March",     "April",
                                          "May",     "June",     "July",      "August",
                                          "September", "October", "November", "December"};

static void format_letter(struct buf *out, char letter, const struct civil *c, int64_t wall_ms)
{
    int hour12 = c->hour % 12 == 0 ? 12 : c->hour % 12;
    switch (letter) {
    case 'Y': buf_printf(out, "%lld", (long long)c->year); break;
    case 'y': buf_printf(out, "%02d", (int)(c->year % 100)); break;
    case 'm': buf_printf(out, "%02d", c->month); break;
    case 'd': buf_printf(out, "%02d", c->day); break;
    case 'e': buf_printf(out, "%2d", c->day); break;
    case 'j': buf_printf(out, "%03d", c->year_day + 1); break;
    case 'H': buf_printf(out, "%02d", c->hour); break;
    case 'I': buf_printf(out, "%02d", hour12); break;
    case 'M': buf_printf(out, "%02d", c->minute); break;
    case 'S': buf_printf(out, "%02d", c->second); break;
    case 'L': buf_printf(out, "%03d", c->ms); break;
    case 'p': buf_append_text(out, c->hour < 12 ? "AM" : "PM"); break;
    case 's': buf_printf(out, "%lld", (long long)(wall_ms / 1000 - (wall_ms % 1000 < 0))); break;
    case 'u': buf_printf(out, "%d", c->weekday == 0 ? 7 : c->weekday); break;
    case 'w': buf_printf(out, "%d", c->weekday); break;
    case 'A': buf_append_text(out, day_names[c->weekday]); break;
    case 'a': buf_printf(out, "%.3s", day_names[c->weekday]); break;
    case 'B': buf_append_text(out, month_names[c->month - 1]); break;
    case 'b':
    case 'h': buf_printf(out, "%.3s", month_names[c->month - 1]); break;
    case 'F': time_format(out, "%Y-%m-%d", wall_ms); break;
    case 'T': time_format(out, "%H:%M:%S", wall_ms); break;
    case 'R': time_format(out, "%H:%M", wall_ms); break;
    case 'D': time_format(out, "%m/%d/%y", wall_ms); break;
    case 'c': time_format(out, "%a %b %e %T %Y", wall_ms); break;
    case 'x': time_format(out, "%F", wall_ms); break;
    case 'X': time_format(out, "%T", wall_ms); break;
    case 'r': time_format(out, "%I:%M:%S %p", wall_ms); break;
    case 'z': buf_append_text(out, "+0000"); break;
    case 'Z': buf_append_text(out, "UTC"); break;
    case 'n': buf_append_u8(out, '\n'); break;
    case 't': buf_append_u8(out, '\t'); break;
    case '%': buf_append_u8(out, '%'); break;
    default:
        buf_append_u8(out, '%');
        buf_append_u8(out, (uint8_t)letter);
    }
}

void time_format(struct buf *out, const char *format, int64_t wall_ms)
{
    struct civil c = civil_from_ms(wall_ms);
    for (; *format != '\0'; format++) {
        if (format[0] == '%' && format[1] != '\0')
            format_letter(out, *++format, &c, wall_ms);
        else
            buf_append_u8(out, (uint8_t)*format);
    }
}

void time_format_rfc3339(struct buf *out, int64_t wall_ms)
{
    time_format(out, "%Y-%m-%dT%H:%M:%S.%LZ", wall_ms);
}

// Reads exactly `digits` digits, or up to that many with `fewer`; how many were read.
static int take_digits(struct str *s, int digits, bool fewer, int *out)
{
    int value = 0, read = 0;
    while (read < digits && (size_t)read < s->size && s->data[read] >= '0' && s->data[read] <= '9')
        value = value * 10 + (s->data[read++] - '0');
    if (read == 0 || (read < digits && !fewer))
        return 0;
    *s = str_of(s->data + read, s->size - (size_t)read);
    *out = value;
    return read;
}

static bool take_char(struct str *s, const char *any)
{
    if (s->size == 0 || strchr(any, s->data[0]) == NULL)
        return false;
    *s = str_of(s->data + 1, s->size - 1);
    return true;
}

static int days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(struct str *s, int64_t *days)
{
    int year, month, day;
    if (!take_digits(s, 4, false, &year) || !take_char(s, "-") ||
        !take_digits(s, 2, false, &month) || !take_char(s, "-") || !take_digits(s, 2, false, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *days = days_from_civil(year, month, day);
    return true;
}

static bool take_clock(struct str *s, int64_t *ms)
{
    int hour, minute, second = 0, fraction = 0;
    if (!take_digits(s, 2, false, &hour) || !take_char(s, ":") ||
        !take_digits(s, 2, false, &minute))
        return false;
    if (take_char(s, ":")) {
        if (!take_digits(s, 2, false, &second))
            return false;
        if (take_char(s, ".,")) {
            int read = take_digits(s, 3, true, &fraction), more;
            if (read == 0)
                return false;
            for (; read < 3; read++)
                fraction *= 10;
            while (take_digits(s, 1, false, &more))
                ; // finer than milliseconds: cut
        }
    }
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *ms = (int64_t)hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + fraction;
    return true;
}

static bool take_zone(struct str *s, int64_t *ms)
{
    if (take_char(s, "Zz"))
        return true;
    bool minus = s->size > 0 && s->data[0] == '-';
    int hour, minute = 0;
    if (!take_char(s, "+-"))
        return true;
    if (!take_digits(s, 2, false, &hour))
        return false;
    if (s->size > 0 && (take_char(s, ":"), !take_digits(s, 2, false, &minute)))
        return false;
    int64_t shift = (int64_t)hour * HOUR_MS + minute * MINUTE_MS;
    *ms += minus ? shift : -shift;
    return true;
}

bool time_parse(struct str text, int64_t *wall_ms)
{
    int64_t days, clock = 0;
    if (!take_date(&text, &days))
        return false;
    if (text.size > 0 && (!take_char(&text, "Tt ") || !take_clock(&text, &clock) ||
                          !take_zone(&text, &clock)))
        return false;
    if (text.size > 0)
        return false;
    *wall_ms = days * day_ms + clock;
    return true;
}

static bool take_unit(struct str *s, int64_t *ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {
        {"ms", 1}, {"s", SECOND_MS}, {"m", MINUTE_MS}, {"h", HOUR_MS}, {"d", 24 * HOUR_MS},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (str_starts_with(*s, units[i].name)) {
            size_t size = strlen(units[i].name);
            *s = str_of(s->data + size, s->size - size);
            *ms = units[i].ms;
            return true;
        }
    }
    return false;
}

bool duration_parse(struct str text, int64_t *ms)
{
    int64_t total = 0;
    if (text.size == 0)
        return false;
    while (text.size > 0) {
        int count;
        int64_t unit, part;
        if (!take_digits(&text, 9, true, &count) || !take_unit(&text, &unit) ||
            __builtin_mul_overflow(unit, (int64_t)count, &part) ||
            __builtin_add_overflow(total, part, &total))
            return false;
    }
    *ms = total;
    return true;
}

static bool take_iso_part(struct str *rest, int64_t *value, char *unit)
{
    size_t i = 0;
    while (i < rest->size && strchr("0123456789+-.,", rest->data[i]) != NULL)
        i++;
    if (i == 0 || i == rest->size)
        return false;
    struct str number = str_of(rest->data, i), whole = str_cut(&number, '.');
    *unit = rest->data[i] & ~0x20; // in upper case
    *rest = str_of(rest->data + i + 1, rest->size - i - 1);
    int64_t scale = 1000, fraction = 0;
    if (number.data != NULL && (*unit != 'S' || number.size > 9))
        return false;
    for (size_t k = 0; k < number.size && k < 3; k++) {
        scale /= 10;
        if (number.data[k] < '0' || number.data[k] > '9')
            return false;
        fraction += (number.data[k] - '0') * scale;
    }
    if (!str_parse_i64(whole.data[0] == '+' ? str_of(whole.data + 1, whole.size - 1) : whole, value))
        return false;
    if (__builtin_mul_overflow(*value, 1000, value))
        return false;
    *value += whole.data[0] == '-' ? -fraction : fraction;
    return true;
}

bool iso_duration_parse(struct str text, int64_t *ms)
{
    static const char units[] = "DHMS"; // in this order
    static const int64_t seconds[] = {86400, 3600, 60, 1};
    int64_t sign = 1, total = 0;
    const char *next = units;
    if (text.size > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        sign = text.data[0] == '-' ? -1 : 1;
        text = str_of(text.data + 1, text.size - 1);
    }
    if (text.size < 3 || (text.data[0] & ~0x20) != 'P')
        return false;
    text = str_of(text.data + 1, text.size - 1);
    for (bool in_time = false; text.size > 0;) {
        if (!in_time && (text.data[0] & ~0x20) == 'T') {
            in_time = true;
            text = str_of(text.data + 1, text.size - 1);
            if (text.size == 0)
                return false;
        }
        int64_t part;
        char unit;
        if (!take_iso_part(&text, &part, &unit))
            return false;
        const char *at = strchr(next, unit);
        if (at == NULL || unit == '\0' || in_time == (unit == 'D') ||
            __builtin_mul_overflow(part, seconds[at - units], &part) ||
            __builtin_add_overflow(total, part, &total))
            return false;
        next = at + 1;
    }
    *ms = sign * total;
    return true;
}
