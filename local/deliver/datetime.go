package deliver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// dateTime is a pattern of Java's DateTimeFormatter in the English locale, which
// is the language of !{timestamp:…} (developer guide, prefixes). It follows
// ofPattern of Java 17, also in what that refuses: AWS was seen to refuse, of
// all 52 letters alone, just those that Java refuses since its release 16. What
// it makes of a time is what Java makes, except
//
//   - z, zz, zzz: the abbreviation of the time zone data, such as EST. Where that
//     has only a number, as for Asia/Kathmandu, it is the zone's id; Java has NPT;
//   - zzzz, v and vvvv: the zone's id, where Java has a name such as Eastern
//     Standard Time. Java falls back to the id for a zone that has no name.
//
// F is the day's week in the month counted by Java 19 and later, but the day
// within such a week by Java 17, and here: which of them AWS runs is UNVERIFIED.
type dateTime []printer

// printer prints a part of a pattern. It fails for a time that has no text in
// that part: one wider than its padding, or a year that Java cannot print.
type printer func(time.Time) (string, error)

func (f dateTime) format(t time.Time) (string, error) {
	var b strings.Builder
	for _, print := range f {
		s, err := print(t)
		if err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// parseDateTime compiles a pattern; it is not ok if Java refuses it. An optional
// section, in [ and ], is left out where a time lacks what it prints; a time in a
// zone lacks nothing, so the brackets only have to match.
func parseDateTime(pattern string) (f dateTime, ok bool) {
	depth := 0
	var last patternPart
	for s := pattern; s != ""; s = s[last.len:] {
		switch s[0] {
		case '[':
			depth++
		case ']':
			depth--
		}
		p, ok := parsePart(s)
		// Java stumbles over a number right after a padded one, because it
		// takes the padding for a number.
		if !ok || depth < 0 || p.number && !p.padded && last.number && last.padded {
			return nil, false
		}
		f, last = append(f, p.print), p
	}
	return f, true
}

// patternPart is the start of a pattern: a run of a letter, a text in quotes, or
// any other character.
type patternPart struct {
	print          printer
	len            int // in the pattern
	number, padded bool
}

func parsePart(s string) (patternPart, bool) {
	switch c := s[0]; {
	case isLetter(c):
		return parseLetters(s)
	case c == '\'':
		return parseQuoted(s)
	case c == '[' || c == ']':
		return patternPart{print: always(""), len: 1}, true
	case c == '{' || c == '}' || c == '#':
		return patternPart{}, false // Java reserves them
	}
	_, n := utf8.DecodeRuneInString(s)
	return patternPart{print: always(s[:n]), len: n}, true
}

func isLetter(c byte) bool { return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }

func always(s string) printer {
	return func(time.Time) (string, error) { return s, nil }
}

// parseQuoted reads a text in quotes. A quote twice is a quote, within a text and
// also outside of one.
func parseQuoted(s string) (patternPart, bool) {
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			i++
			continue
		}
		text := strings.ReplaceAll(s[1:i], "''", "'")
		if i == 1 {
			text = "'"
		}
		return patternPart{print: always(text), len: i + 1}, true
	}
	return patternPart{}, false
}

// parseLetters reads a run of a letter, with the run of p before it that pads it.
func parseLetters(s string) (patternPart, bool) {
	pad := 0
	if s[0] == 'p' {
		pad = runLength(s)
	}
	if pad == len(s) || symbols[s[pad]] == nil {
		return patternPart{}, false
	}
	n := runLength(s[pad:])
	print, number := symbols[s[pad]](n)
	if print == nil {
		return patternPart{}, false
	}
	if pad > 0 {
		print = padding(pad, print)
	}
	return patternPart{print: print, len: pad + n, number: number, padded: pad > 0}, true
}

// runLength counts how often s repeats its first byte at its start.
func runLength(s string) int { return len(s) - len(strings.TrimLeft(s, s[:1])) }

func padding(width int, print printer) printer {
	return func(t time.Time) (string, error) {
		s, err := print(t)
		if err != nil {
			return "", err
		}
		n := width - utf8.RuneCountInString(s)
		if n < 0 {
			return "", fmt.Errorf("%q is wider than its padding of %d", s, width)
		}
		return strings.Repeat(" ", n) + s, nil
	}
}

// symbol compiles n letters, and tells whether they print a number. The printer
// is nil where Java refuses so many of them.
type symbol func(n int) (p printer, number bool)

// symbols are the letters of a pattern, but p.
var symbols = map[byte]symbol{
	'G': text(named(era), 1, 2, 3, 4, 5),
	'u': years(time.Time.Year),
	'y': years(yearOfEra),
	'Y': weekYears,
	'D': digits(3, time.Time.YearDay),
	'M': textOrDigits(month, monthNumber),
	'L': textOrDigits(month, monthNumber),
	'Q': textOrDigits(quarter, quarterNumber),
	'q': textOrDigits(quarter, quarterNumber),
	'd': digits(2, time.Time.Day),
	'g': digits(maxDigits, modifiedJulianDay),
	'w': digits(2, func(t time.Time) int { _, week := weekOfYear(t); return week }),
	'W': digits(1, weekOfMonth),
	'F': digits(1, func(t time.Time) int { return (t.Day()-1)%7 + 1 }),
	'E': text(named(weekday), 1, 2, 3, 4, 5),
	'e': textOrDigits(weekday, weekdayNumber),
	'c': standaloneWeekday,
	'a': text(named(amPM), 1),
	'B': text(named(dayPeriod), 1, 4, 5),
	'h': digits(2, func(t time.Time) int { return (t.Hour()+11)%12 + 1 }),
	'K': digits(2, func(t time.Time) int { return t.Hour() % 12 }),
	'k': digits(2, func(t time.Time) int { return (t.Hour()+23)%24 + 1 }),
	'H': digits(2, time.Time.Hour),
	'm': digits(2, time.Time.Minute),
	's': digits(2, time.Time.Second),
	'S': fraction,
	'n': digits(maxDigits, time.Time.Nanosecond),
	'A': digits(maxDigits, func(t time.Time) int64 { return nanoOfDay(t) / 1e6 }),
	'N': digits(maxDigits, nanoOfDay),
	'V': text(func(t time.Time, _ int) string { return t.Location().String() }, 2),
	'v': text(genericZone, 1, 4),
	'z': text(zone, 1, 2, 3, 4),
	'O': text(localizedOffset, 1, 4),
	'X': text(func(t time.Time, n int) string { return isoOffset(t, n, "Z") }, 1, 2, 3, 4, 5),
	'x': text(offsetWithoutZ, 1, 2, 3, 4, 5),
	'Z': text(rfcOffset, 1, 2, 3, 4, 5),
}

// maxDigits are those of Java's long.
const maxDigits = 19

// pad0 is v in at least width digits, its sign before them.
func pad0(v int64, width int) string {
	s := strconv.FormatInt(v, 10)
	sign := ""
	if v < 0 {
		sign, s = "-", s[1:]
	}
	return sign + strings.Repeat("0", max(0, width-len(s))) + s
}

// digits is a number that may be written with up to most letters, each letter
// standing for a digit that it has at least.
func digits[T int | int64](most int, value func(time.Time) T) symbol {
	return func(n int) (printer, bool) {
		if n > most {
			return nil, true
		}
		return func(t time.Time) (string, error) { return pad0(int64(value(t)), n), nil }, true
	}
}

func fraction(n int) (printer, bool) {
	if n > 9 {
		return nil, true
	}
	return func(t time.Time) (string, error) { return pad0(int64(t.Nanosecond()), 9)[:n], nil }, true
}

func years(year func(time.Time) int) symbol {
	return func(n int) (printer, bool) {
		if n > maxDigits {
			return nil, true
		}
		return yearPrinter(n, year), true
	}
}

// weekYears is Y, which Java limits to no number of letters.
func weekYears(n int) (printer, bool) {
	return yearPrinter(n, func(t time.Time) int { year, _ := weekOfYear(t); return year }), true
}

// yearPrinter prints the last two digits for two letters. From four letters on,
// a year that needs more digits than letters has a plus sign. Java knows how
// large a year is for up to 10 letters and from 19 on; with a number of letters
// between those it fails for every year.
func yearPrinter(n int, year func(time.Time) int) printer {
	return func(t time.Time) (string, error) {
		y := int64(year(t))
		switch {
		case n == 2:
			return pad0(max(y, -y)%100, 2), nil
		case n > 10 && n < 19 && y >= 0:
			return "", fmt.Errorf("a year cannot be written with %d letters", n)
		}
		s := pad0(y, n)
		if n >= 4 && y >= 0 && len(s) > n {
			s = "+" + s
		}
		return s, nil
	}
}

func yearOfEra(t time.Time) int {
	if y := t.Year(); y > 0 {
		return y
	}
	return 1 - t.Year()
}

func nanoOfDay(t time.Time) int64 {
	h, m, s := t.Clock()
	return int64(h*3600+m*60+s)*1e9 + int64(t.Nanosecond())
}

// modifiedJulianDay counts the days since 17 November 1858.
func modifiedJulianDay(t time.Time) int64 {
	y, m, d := t.Date()
	const dayOfEpoch = 40587
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()/(24*60*60) + dayOfEpoch
}

// weekOfYear counts weeks from Sunday on, the first of them the one that
// 1 January is in; its last days may be those of the next year's first week.
func weekOfYear(t time.Time) (year, week int) {
	year = t.Year()
	sunday := t.YearDay() - int(t.Weekday()) // of the week, as a day of the year
	if sunday+6 > daysIn(year) {
		return year + 1, 1
	}
	return year, (sunday + 12) / 7
}

func daysIn(year int) int { return time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC).YearDay() }

func weekOfMonth(t time.Time) int { return (t.Day() - int(t.Weekday()) + 12) / 7 }

func monthNumber(t time.Time) int   { return int(t.Month()) }
func quarterNumber(t time.Time) int { return (int(t.Month()) + 2) / 3 }
func weekdayNumber(t time.Time) int { return int(t.Weekday()) + 1 } // Sunday is 1

// name is a value's English text in the three lengths that patterns have.
type name struct{ short, full, narrow string }

func (n name) withLetters(letters int) string {
	switch {
	case letters <= 3:
		return n.short
	case letters == 4:
		return n.full
	}
	return n.narrow
}

// named is for text: one to three letters are the short name, four the full one,
// five the narrow one.
func named(value func(time.Time) name) func(t time.Time, n int) string {
	return func(t time.Time, n int) string { return value(t).withLetters(n) }
}

// text may be written with any of the counts of letters.
func text(print func(t time.Time, n int) string, counts ...int) symbol {
	return func(n int) (printer, bool) {
		if !slices.Contains(counts, n) {
			return nil, false
		}
		return func(t time.Time) (string, error) { return print(t, n), nil }, false
	}
}

// textOrDigits is a number with one or two letters, a text with more.
func textOrDigits(value func(time.Time) name, number func(time.Time) int) symbol {
	asNumber, asText := digits(2, number), text(named(value), 3, 4, 5)
	return func(n int) (printer, bool) {
		if n <= 2 {
			return asNumber(n)
		}
		return asText(n)
	}
}

func standaloneWeekday(n int) (printer, bool) {
	if n == 2 {
		return nil, false
	}
	return textOrDigits(weekday, weekdayNumber)(n)
}

func era(t time.Time) name {
	if t.Year() > 0 {
		return name{"AD", "Anno Domini", "A"}
	}
	return name{"BC", "Before Christ", "B"}
}

func month(t time.Time) name {
	s := t.Month().String()
	return name{s[:3], s, s[:1]}
}

func weekday(t time.Time) name {
	s := t.Weekday().String()
	return name{s[:3], s, s[:1]}
}

func quarter(t time.Time) name {
	q := quarterNumber(t)
	full := [...]string{"1st quarter", "2nd quarter", "3rd quarter", "4th quarter"}
	return name{"Q" + strconv.Itoa(q), full[q-1], strconv.Itoa(q)}
}

func amPM(t time.Time) name {
	if t.Hour() < 12 {
		return name{short: "AM"}
	}
	return name{short: "PM"}
}

// dayPeriod knows midnight and noon for their whole minute.
func dayPeriod(t time.Time) name {
	same := func(s string) name { return name{s, s, s} }
	switch h, m := t.Hour(), t.Minute(); {
	case h == 0 && m == 0:
		return name{"midnight", "midnight", "mi"}
	case h == 12 && m == 0:
		return name{"noon", "noon", "n"}
	case h < 6 || h >= 21:
		return same("at night")
	case h < 12:
		return same("in the morning")
	case h < 18:
		return same("in the afternoon")
	}
	return same("in the evening")
}

func zone(t time.Time, n int) string {
	abbreviation, _ := t.Zone()
	if n == 4 || abbreviation == "" || !isLetter(abbreviation[0]) {
		return genericZone(t, n)
	}
	return abbreviation
}

// genericZone is the zone's id, but for the one name known without Java's tables.
func genericZone(t time.Time, n int) string {
	if abbreviation, _ := t.Zone(); abbreviation == "UTC" {
		return name{short: "UTC", full: "Coordinated Universal Time"}.withLetters(n)
	}
	return t.Location().String()
}

// splitOffset is the offset from UTC in parts, none of them negative.
func splitOffset(t time.Time) (sign string, hours, minutes, seconds int) {
	_, offset := t.Zone()
	sign = "+"
	if offset < 0 {
		sign, offset = "-", -offset
	}
	return sign, offset / 3600, offset / 60 % 60, offset % 60
}

// localizedOffset is GMT+9 with one letter and GMT+09:00 with four.
func localizedOffset(t time.Time, n int) string {
	sign, h, m, s := splitOffset(t)
	if h == 0 && m == 0 && s == 0 {
		return "GMT"
	}
	out := "GMT" + sign + pad0(int64(h), min(n, 2))
	if n == 4 || m != 0 || s != 0 {
		out += ":" + pad0(int64(m), 2)
	}
	if s != 0 {
		out += ":" + pad0(int64(s), 2)
	}
	return out
}

// isoOffset is, for n from 1: +09, with minutes if it has some; +0900; +09:00;
// and the last two with seconds if it has some. It is zero where all that would
// be written is zero.
func isoOffset(t time.Time, n int, zero string) string {
	sign, h, m, s := splitOffset(t)
	colon := ""
	if n == 3 || n == 5 {
		colon = ":"
	}
	if n < 4 {
		s = 0
	}
	if h == 0 && m == 0 && s == 0 {
		return zero
	}
	out := sign + pad0(int64(h), 2)
	if n > 1 || m != 0 {
		out += colon + pad0(int64(m), 2)
	}
	if s != 0 {
		out += colon + pad0(int64(s), 2)
	}
	return out
}

func offsetWithoutZ(t time.Time, n int) string {
	zeros := [...]string{"+00", "+0000", "+00:00", "+0000", "+00:00"}
	return isoOffset(t, n, zeros[n-1])
}

func rfcOffset(t time.Time, n int) string {
	switch n {
	case 4:
		return localizedOffset(t, 4)
	case 5:
		return isoOffset(t, 5, "Z")
	}
	return isoOffset(t, 2, "+0000")
}
