package convert

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// timeFormat is a pattern of Joda-Time's DateTimeFormat, such as
// "dd/MMM/yyyy:HH:mm:ss Z". Of its letters G, C, x, w, e and the names of zones in
// full are not known here. Names of months and days are English.
type timeFormat []timeToken

// timeToken is a run of one letter, or literal text.
type timeToken struct {
	letter  byte // 0 is a literal
	count   int
	literal string
	adjoins bool // another number follows, so this one has exactly count digits
}

// millis is the special pattern that AWS adds to Joda's.
const millis = "millis"

func parseTimeFormat(pattern string) (timeFormat, error) {
	var format timeFormat
	for i := 0; i < len(pattern); {
		c := pattern[i]
		n := 1
		switch {
		case c == '\'':
			literal, length, err := quoted(pattern[i:])
			if err != nil {
				return nil, err
			}
			format = append(format, timeToken{literal: literal})
			n = length
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			for i+n < len(pattern) && pattern[i+n] == c {
				n++
			}
			if !strings.ContainsRune("yYMdDEaKhHkmsSzZ", rune(c)) {
				return nil, fmt.Errorf("the letter %q is not known; a letter that stands for itself is put in single quotes", c)
			}
			format = append(format, timeToken{letter: c, count: n})
		default:
			format = append(format, timeToken{literal: pattern[i : i+1]})
		}
		i += n
	}
	for i := range len(format) - 1 {
		format[i].adjoins = format[i].isNumber() && format[i+1].isNumber()
	}
	return format, nil
}

// quoted reads 'text', in which ” is a quote, and tells its length with the quotes.
func quoted(pattern string) (string, int, error) {
	if strings.HasPrefix(pattern, "''") {
		return "'", 2, nil
	}
	var text strings.Builder
	for i := 1; i < len(pattern); i++ {
		if pattern[i] == '\'' {
			if i+1 == len(pattern) || pattern[i+1] != '\'' {
				return text.String(), i + 1, nil
			}
			i++
		}
		text.WriteByte(pattern[i])
	}
	return "", 0, fmt.Errorf("a single quote is not closed")
}

func (t *timeToken) isNumber() bool {
	switch t.letter {
	case 0, 'E', 'a', 'z', 'Z':
		return false
	case 'M':
		return t.count < 3
	}
	return true
}

// clock is the parts of a time while it is read. What a pattern does not hold is that of
// 1970-01-01 00:00, as in Hive's TimestampParser.
type clock struct {
	year, month, day, yearDay    int
	hour, half                   int // half is 12 in the afternoon
	minute, second, milliseconds int
	offset                       time.Duration
}

func (f timeFormat) parse(text []byte) (time.Time, bool) {
	s := scanner{text: text}
	c := clock{year: 1970, month: 1, day: 1}
	for i := range f {
		f[i].read(&s, &c)
	}
	day := s.check(c.year, c.month, c.day)
	if c.yearDay > 0 {
		day = s.check(c.year, 1, 1).AddDate(0, 0, c.yearDay-1)
		s.bad = s.bad || day.Year() != c.year
	}
	hour := c.hour + c.half
	if hour > 23 || c.minute > 59 || c.second > 59 {
		s.bad = true
	}
	t := day.Add(time.Duration(hour)*time.Hour + time.Duration(c.minute)*time.Minute +
		time.Duration(c.second)*time.Second + time.Duration(c.milliseconds)*time.Millisecond)
	return t.Add(-c.offset), s.end()
}

func (t *timeToken) read(s *scanner, c *clock) {
	switch t.letter {
	case 0:
		for i := range len(t.literal) {
			s.skip(t.literal[i])
		}
	case 'y', 'Y':
		c.year = t.year(s)
	case 'M':
		if t.count >= 3 {
			c.month = s.name(months) + 1
		} else {
			c.month = t.number(s, 2)
		}
	case 'd':
		c.day = t.number(s, 2)
	case 'D':
		c.yearDay = t.number(s, 3)
	case 'E':
		s.name(weekdays)
	case 'a':
		c.half = s.name([]string{"AM", "PM"}) * 12
	case 'H', 'K':
		c.hour = t.number(s, 2)
	case 'h', 'k': // the twelfth hour is the one before the first; the 24th is the day's first
		c.hour = t.number(s, 2)
		if t.letter == 'h' && c.hour == 12 || c.hour == 24 {
			c.hour = 0
		}
	case 'm':
		c.minute = t.number(s, 2)
	case 's':
		c.second = t.number(s, 2)
	case 'S':
		c.milliseconds = t.fraction(s)
	case 'z', 'Z':
		c.offset = s.offset()
	}
}

func (t *timeToken) number(s *scanner, most int) int {
	if t.adjoins {
		most = t.count
	}
	return s.number(1, most)
}

// year reads a year. For yy two digits are the one from 49 years before to 50 years
// after Joda's pivot, which is 30 years ago.
func (t *timeToken) year(s *scanner) int {
	negative := len(s.text) > 0 && s.text[0] == '-'
	if negative {
		s.text = s.text[1:]
	}
	before := len(s.text)
	year := t.number(s, 9)
	if negative {
		return -year
	}
	if t.count == 2 && before-len(s.text) == 2 {
		low := time.Now().Year() - 30 - 50
		year += low - low%100
		if year < low {
			year += 100
		}
	}
	return year
}

// fraction reads a part of a second. Joda keeps milliseconds.
func (t *timeToken) fraction(s *scanner) int {
	ms := 0
	for i := range t.count {
		if len(s.text) == 0 || s.text[0] < '0' || s.text[0] > '9' {
			s.bad = s.bad || i == 0
			for ; i < 3; i++ {
				ms *= 10
			}
			return ms
		}
		if i < 3 {
			ms = ms*10 + int(s.text[0]-'0')
		}
		s.text = s.text[1:]
	}
	for range 3 - t.count {
		ms *= 10
	}
	return ms
}

var (
	months   = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	weekdays = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
)

// name reads one of names, or its first three letters, in any case, and returns its index.
func (s *scanner) name(names []string) int {
	for i, name := range names {
		for _, n := range []int{len(name), min(3, len(name))} {
			if len(s.text) >= n && bytes.EqualFold(s.text[:n], []byte(name[:n])) {
				s.text = s.text[n:]
				return i
			}
		}
	}
	s.bad = true
	return 0
}

// zones are the names that Joda knows when it parses (DateTimeUtils.getDefaultTimeZoneNames),
// as their hours.
var zones = map[string]int{"UTC": 0, "UT": 0, "GMT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}

// offset reads a zone: a name, or +hh, +hhmm or +hh:mm.
func (s *scanner) offset() time.Duration {
	if len(s.text) == 0 || s.text[0] != '+' && s.text[0] != '-' {
		n := 0
		for n < len(s.text) && s.text[n] >= 'A' && s.text[n] <= 'Z' {
			n++
		}
		hours, ok := zones[string(s.text[:n])]
		s.bad = s.bad || !ok
		s.text = s.text[n:]
		return time.Duration(hours) * time.Hour
	}
	sign := time.Duration(1)
	if s.text[0] == '-' {
		sign = -1
	}
	s.text = s.text[1:]
	offset := time.Duration(s.number(2, 2)) * time.Hour
	if len(s.text) > 0 && s.text[0] == ':' {
		s.text = s.text[1:]
		return sign * (offset + time.Duration(s.number(2, 2))*time.Minute)
	}
	if len(s.text) > 0 && s.text[0] >= '0' && s.text[0] <= '9' {
		offset += time.Duration(s.number(2, 2)) * time.Minute
	}
	return sign * offset
}
