package convert

import (
	"bytes"
	"math"
	"time"

	"github.com/parquet-go/parquet-go/deprecated"
)

// parseOpenXTime reads a timestamp in the forms that AWS lists for the OpenX SerDe
// (developer guide, record format conversion): 2017-02-07T15:13:01.39256Z,
// 2017-02-07 15:13:01.14, seconds, milliseconds, and seconds with a fraction since
// 1970. AWS was seen to take numbers in strings too, and one digit for any part of the
// form with the space, but not of the one with the T. It was seen to refuse an
// offset such as +00:00.
func parseOpenXTime(text []byte) (time.Time, bool) {
	if bytes.IndexByte(text, ':') < 0 {
		n, ok := parseNumber(text)
		if !ok {
			return time.Time{}, false
		}
		return n.epoch()
	}
	if bytes.IndexByte(text, 'T') >= 0 {
		s := scanner{text: text}
		t := s.dateTime(2, 'T')
		s.skip('Z')
		return t, s.end()
	}
	return parseSQLTime(text)
}

// parseSQLTime reads yyyy-[m]m-[d]d hh:mm:ss[.f…], as java.sql.Timestamp.valueOf
// does, but no times that do not exist, such as February 30, which Java moves on.
func parseSQLTime(text []byte) (time.Time, bool) {
	s := scanner{text: text}
	t := s.dateTime(1, ' ')
	return t, s.end()
}

// parseDate reads yyyy-[M]M-[d]d. AWS was seen to take one digit.
func parseDate(text []byte) (time.Time, bool) {
	s := scanner{text: text}
	t := s.date(1)
	return t, s.end()
}

// epoch takes the number for seconds since 1970 below 10^12 and for milliseconds
// from there on, as AWS was seen to do; of a part of a millisecond nothing stays (the
// SerDe's ParsePrimitiveUtils).
func (n *number) epoch() (time.Time, bool) {
	whole, ok := n.integer(0)
	if !ok {
		return time.Time{}, false
	}
	if -1e12 < whole && whole < 1e12 {
		ms, ok := n.thousandths()
		return time.UnixMilli(ms).UTC(), ok
	}
	return time.UnixMilli(whole).UTC(), true
}

// scanner reads a time from left to right. After the first thing that does not fit,
// bad stays set.
type scanner struct {
	text []byte
	bad  bool
}

func (s *scanner) date(least int) time.Time {
	year := s.number(4, 4)
	s.skip('-')
	month := s.number(least, 2)
	s.skip('-')
	return s.check(year, month, s.number(least, 2))
}

func (s *scanner) dateTime(least int, between byte) time.Time {
	day := s.date(least)
	s.skip(between)
	hour := s.number(least, 2)
	s.skip(':')
	minute := s.number(least, 2)
	s.skip(':')
	second := s.number(least, 2)
	nanos := 0
	if len(s.text) > 0 && s.text[0] == '.' {
		s.text = s.text[1:]
		digits := len(s.text)
		nanos = s.number(1, 9)
		for range 9 - (digits - len(s.text)) {
			nanos *= 10
		}
	}
	if hour > 23 || minute > 59 || second > 59 {
		s.bad = true
	}
	return day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(nanos))
}

func (s *scanner) check(year, month, day int) time.Time {
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if t.Month() != time.Month(month) || t.Day() != day {
		s.bad = true
	}
	return t
}

func (s *scanner) number(least, most int) int {
	n, digits := 0, 0
	for ; digits < most && digits < len(s.text) && s.text[digits] >= '0' && s.text[digits] <= '9'; digits++ {
		n = n*10 + int(s.text[digits]-'0')
	}
	if digits < least {
		s.bad = true
	}
	s.text = s.text[digits:]
	return n
}

func (s *scanner) skip(c byte) {
	if len(s.text) == 0 || s.text[0] != c {
		s.bad = true
		return
	}
	s.text = s.text[1:]
}

func (s *scanner) end() bool { return !s.bad && len(s.text) == 0 }

const secondsPerDay = 24 * 60 * 60

// daysOf is the whole days from 1970 to t.
func daysOf(t time.Time) int64 {
	seconds := t.Unix()
	days := seconds / secondsPerDay
	if seconds%secondsPerDay < 0 {
		days--
	}
	return days
}

// int96 is a time as Hive's NanoTime writes it: the nanoseconds of the day, then the
// day's Julian number. It is false if the day does not fit in 32 bits.
func int96(t time.Time) (deprecated.Int96, bool) {
	const julian1970 = 2440588
	days := daysOf(t)
	nanos := uint64(t.Unix()-days*secondsPerDay)*1e9 + uint64(t.Nanosecond())
	day := days + julian1970
	return deprecated.Int96{uint32(nanos), uint32(nanos >> 32), uint32(day)}, day == int64(int32(day))
}

// date32 is the days from 1970 to t, as Parquet's DATE is.
func date32(t time.Time) (int32, bool) {
	days := daysOf(t)
	return int32(days), days >= math.MinInt32 && days <= math.MaxInt32
}
