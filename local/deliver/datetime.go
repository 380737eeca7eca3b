package deliver

import (
	"errors"
	"fmt"
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
//   - z to zzz: the abbreviation of the system's time zone data, which for some
//     zones is a number where Java has letters; the zone's id then stands for it;
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

// parseDateTime compiles a pattern. An optional section, in [ and ], is left out
// where a time lacks what it prints; a time in a zone lacks nothing, so the
// brackets only have to match.
func parseDateTime(pattern string) (dateTime, error) {
	var f dateTime
	depth := 0
	padded := false // the last part is a padded number
	for rest := pattern; rest != ""; {
		c, n := rest[0], 1
		part := literal("")
		number := false
		switch {
		case isLetter(c):
			l, err := parseLetters(rest)
			if err != nil {
				return nil, err
			}
			// Java fails here (it takes the padding for a number).
			if padded && l.number && l.pad == 0 {
				return nil, fmt.Errorf("%q: a number stands right after a padded one", pattern)
			}
			part, n, number = l.print, l.len, l.number && l.pad > 0
		case c == '\'':
			text, length, ok := quoted(rest)
			if !ok {
				return nil, fmt.Errorf("%q: a quote is not closed", pattern)
			}
			part, n = literal(text), length
		case c == '[':
			depth++
		case c == ']':
			if depth--; depth < 0 {
				return nil, fmt.Errorf("%q: ] without [", pattern)
			}
		case c == '{' || c == '}' || c == '#':
			return nil, fmt.Errorf("%q: %q is reserved", pattern, c)
		default:
			_, n = utf8.DecodeRuneInString(rest)
			part = literal(rest[:n])
		}
		f, rest, padded = append(f, part), rest[n:], number
	}
	return f, nil
}

func isLetter(c byte) bool { return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }

func literal(s string) printer {
	return func(time.Time) (string, error) { return s, nil }
}

// quoted reads a text in quotes at the start of s. A quote twice is a quote,
// within a text and also outside of one.
func quoted(s string) (text string, n int, ok bool) {
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			i++
			continue
		}
		if i == 1 {
			return "'", 2, true
		}
		return strings.ReplaceAll(s[1:i], "''", "'"), i + 1, true
	}
	return "", 0, false
}

// letters is a run of one letter, with the run of p before it that pads it.
type letters struct {
	print  printer
	len    int // in the pattern
	pad    int
	number bool
}

func parseLetters(s string) (letters, error) {
	var l letters
	if s[0] == 'p' {
		l.pad = run(s)
		if s = s[l.pad:]; s == "" || !isLetter(s[0]) {
			return l, errors.New("p is not followed by a letter to pad")
		}
	}
	n := run(s)
	l.len = l.pad + n
	compile := symbols[s[0]]
	if compile == nil {
		return l, fmt.Errorf("%c is no letter of a pattern", s[0])
	}
	if l.print, l.number = compile(n); l.print == nil {
		return l, fmt.Errorf("%s has too many letters, or too few", s[:n])
	}
	if l.pad > 0 {
		l.print = padding(l.pad, l.print)
	}
	return l, nil
}

// run counts how often s repeats its first byte at its start.
func run(s string) int { return len(s) - len(strings.TrimLeft(s, s[:1])) }

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

// symbols are the letters of a pattern but p.
var symbols = map[byte]symbol{
	'G': text(5, era),
	'u': yearSymbol(time.Time.Year),
	'y': yearSymbol(yearOfEra),
	'Y': weekYearSymbol,
	'D': digits(3, time.Time.YearDay),
	'M': textOrNumber(month, monthNumber),
	'L': textOrNumber(month, monthNumber),
	'Q': textOrNumber(quarter, quarterNumber),
	'q': textOrNumber(quarter, quarterNumber),
	'd': digits(2, time.Time.Day),
	'g': wide(modifiedJulianDay),
	'w': digits(2, func(t time.Time) int { _, week := weekOfYear(t); return week }),
	'W': digits(1, weekOfMonth),
	'F': digits(1, func(t time.Time) int { return (t.Day()-1)%7 + 1 }),
	'E': text(5, weekday),
	'e': textOrNumber(weekday, weekdayNumber),
	'c': standaloneWeekday,
	'a': text(1, amPM),
	'B': dayPeriodSymbol,
	'h': digits(2, func(t time.Time) int { return (t.Hour()+11)%12 + 1 }),
	'K': digits(2, func(t time.Time) int { return t.Hour() % 12 }),
	'k': digits(2, func(t time.Time) int { return (t.Hour()+23)%24 + 1 }),
	'H': digits(2, time.Time.Hour),
	'm': digits(2, time.Time.Minute),
	's': digits(2, time.Time.Second),
	'S': fraction,
	'n': wide(func(t time.Time) int64 { return int64(t.Nanosecond()) }),
	'A': wide(func(t time.Time) int64 { return nanoOfDay(t) / 1e6 }),
	'N': wide(nanoOfDay),
	'V': zoneIDSymbol,
	'v': genericZoneSymbol,
	'z': zoneNameSymbol,
	'O': localizedOffsetSymbol,
	'X': isoOffsetSymbol(func(int) string { return "Z" }),
	'x': isoOffsetSymbol(zeroOffset),
	'Z': offsetSymbol,
}

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
func digits(most int, value func(time.Time) int) symbol {
	return func(n int) (printer, bool) {
		if n > most {
			return nil, true
		}
		return func(t time.Time) (string, error) { return pad0(int64(value(t)), n), nil }, true
	}
}

// wide is a number of up to the 19 digits that Java's long has.
func wide(value func(time.Time) int64) symbol {
	return func(n int) (printer, bool) {
		if n > 19 {
			return nil, true
		}
		return func(t time.Time) (string, error) { return pad0(value(t), n), nil }, true
	}
}

func fraction(n int) (printer, bool) {
	if n > 9 {
		return nil, true
	}
	return func(t time.Time) (string, error) { return pad0(int64(t.Nanosecond()), 9)[:n], nil }, true
}

func yearSymbol(year func(time.Time) int) symbol {
	return func(n int) (printer, bool) {
		if n > 19 {
			return nil, true
		}
		return yearPrinter(n, year), true
	}
}

func weekYearSymbol(n int) (printer, bool) {
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

// text may be written with up to most letters: one to three are the short name,
// four the full one, five the narrow one.
func text(most int, value func(time.Time) name) symbol {
	return func(n int) (printer, bool) {
		if n > most {
			return nil, false
		}
		return func(t time.Time) (string, error) { return value(t).withLetters(n), nil }, false
	}
}

// textOrNumber is a number with one or two letters, a text with more.
func textOrNumber(value func(time.Time) name, number func(time.Time) int) symbol {
	asNumber, asText := digits(2, number), text(5, value)
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
	return textOrNumber(weekday, weekdayNumber)(n)
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

func dayPeriodSymbol(n int) (printer, bool) {
	if n == 2 || n == 3 {
		return nil, false
	}
	return text(5, dayPeriod)(n)
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

func zoneIDSymbol(n int) (printer, bool) {
	if n != 2 {
		return nil, false
	}
	return func(t time.Time) (string, error) { return t.Location().String(), nil }, false
}

func genericZoneSymbol(n int) (printer, bool) {
	if n != 1 && n != 4 {
		return nil, false
	}
	return zonePrinter(n), false
}

func zoneNameSymbol(n int) (printer, bool) {
	if n > 4 {
		return nil, false
	}
	if n == 4 {
		return zonePrinter(n), false
	}
	return func(t time.Time) (string, error) {
		abbreviation, _ := t.Zone()
		if abbreviation == "" || !isLetter(abbreviation[0]) {
			return t.Location().String(), nil
		}
		return abbreviation, nil
	}, false
}

// zonePrinter prints a zone's name of n letters where it is known without Java's
// tables, and else the id.
func zonePrinter(n int) printer {
	return func(t time.Time) (string, error) {
		if abbreviation, _ := t.Zone(); abbreviation == "UTC" {
			return name{short: "UTC", full: "Coordinated Universal Time"}.withLetters(n), nil
		}
		return t.Location().String(), nil
	}
}

// splitOffset is the offset from UTC in parts, all of them positive.
func splitOffset(t time.Time) (sign string, hours, minutes, seconds int) {
	_, offset := t.Zone()
	sign = "+"
	if offset < 0 {
		sign, offset = "-", -offset
	}
	return sign, offset / 3600, offset / 60 % 60, offset % 60
}

func localizedOffsetSymbol(n int) (printer, bool) {
	if n != 1 && n != 4 {
		return nil, false
	}
	return func(t time.Time) (string, error) { return localizedOffset(t, n == 4), nil }, false
}

func localizedOffset(t time.Time, full bool) string {
	sign, h, m, s := splitOffset(t)
	switch {
	case h == 0 && m == 0 && s == 0:
		return "GMT"
	case s != 0 && full:
		return fmt.Sprintf("GMT%s%02d:%02d:%02d", sign, h, m, s)
	case s != 0:
		return fmt.Sprintf("GMT%s%d:%02d:%02d", sign, h, m, s)
	case full:
		return fmt.Sprintf("GMT%s%02d:%02d", sign, h, m)
	case m != 0:
		return fmt.Sprintf("GMT%s%d:%02d", sign, h, m)
	}
	return fmt.Sprintf("GMT%s%d", sign, h)
}

// isoOffsetSymbol is an offset as X has it: hours, with minutes that are not
// zero; hours and minutes; the same with a colon; both with seconds that are not
// zero. The text of no offset depends on the number of letters.
func isoOffsetSymbol(zero func(n int) string) symbol {
	return func(n int) (printer, bool) {
		if n > 5 {
			return nil, false
		}
		return func(t time.Time) (string, error) { return isoOffset(t, n, zero(n)), nil }, false
	}
}

func zeroOffset(n int) string {
	switch n {
	case 1:
		return "+00"
	case 2, 4:
		return "+0000"
	}
	return "+00:00"
}

func isoOffset(t time.Time, n int, zero string) string {
	sign, h, m, s := splitOffset(t)
	colon := ""
	if n == 3 || n == 5 {
		colon = ":"
	}
	out := fmt.Sprintf("%s%02d", sign, h)
	if n > 1 || m != 0 {
		out += fmt.Sprintf("%s%02d", colon, m)
	}
	seconds := n > 3 && s != 0
	if seconds {
		out += fmt.Sprintf("%s%02d", colon, s)
	}
	if h == 0 && m == 0 && !seconds {
		return zero
	}
	return out
}

func offsetSymbol(n int) (printer, bool) {
	switch {
	case n <= 3:
		return func(t time.Time) (string, error) { return isoOffset(t, 2, "+0000"), nil }, false
	case n == 4:
		return func(t time.Time) (string, error) { return localizedOffset(t, true), nil }, false
	case n == 5:
		return func(t time.Time) (string, error) { return isoOffset(t, 5, "Z"), nil }, false
	}
	return nil, false
}
