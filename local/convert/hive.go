package convert

import (
	"bytes"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
)

// hiveScalar follows HCatalog's JsonSerDe.extractCurrentField. AWS was seen to refuse a
// string for a number and an object or array for a string in these words.
func (r *rules) hiveScalar(t *hiveType, n *node) (parquet.Value, error) {
	switch t.kind {
	case kindString, kindChar, kindVarchar:
		if n.kind >= jsonArray {
			return parquet.Value{}, errIncorrectFormat
		}
		return t.textValue(n.plain()), nil
	case kindTinyint, kindSmallint, kindInt, kindBigint, kindFloat, kindDouble:
		if n.kind != jsonNumber {
			return parquet.Value{}, mismatch("Current token (%s) not numeric, can not use numeric value accessors", n.token())
		}
		if t.kind < kindFloat {
			return t.truncated(n.text)
		}
		return t.fromText(n.text, nil)
	}
	if n.kind >= jsonArray {
		return t.cannot(n)
	}
	text := n.plain() // what is not a number is read of the token's text, whatever the token is
	switch t.kind {
	case kindBoolean:
		return parquet.BooleanValue(bytes.EqualFold(text, []byte("true"))), nil
	case kindDate:
		at, ok := parseDate(text)
		if !ok { // the API reference says formats are of dates too; Hive's own SerDe takes this form only
			at, ok = r.formatted(text)
		}
		if !ok {
			return parquet.Value{}, mismatch("For input string: \"%s\"", text)
		}
		return t.dateValue(at)
	}
	return t.fromText(text, r.hiveTime)
}

// errIncorrectFormat is the one message without "Data does not match the schema".
var errIncorrectFormat = malformed("One or more fields have incorrect format. Exception when validating field (root)")

// token is Jackson's name of a value.
func (n *node) token() string {
	return [...]string{"VALUE_NULL", "VALUE_FALSE", "VALUE_TRUE", "VALUE_NUMBER", "VALUE_STRING", "START_ARRAY", "START_OBJECT"}[n.kind]
}

// truncated reads a number as Jackson's getIntValue and its like do: what is behind
// the point is dropped, what is too large refused.
func (t *hiveType) truncated(text []byte) (parquet.Value, error) {
	n, ok := parseNumber(text)
	var whole int64
	if ok {
		whole, ok = n.integer(0)
	}
	if shift := 64 - t.bits(); !ok || whole<<shift>>shift != whole {
		return parquet.Value{}, mismatch("Numeric value (%s) out of range of %s", text, t.text)
	}
	return t.intValue(whole), nil
}

// hiveTime reads a timestamp as Hive's TimestampParser does: the formats, then
// java.sql.Timestamp.valueOf.
func (r *rules) hiveTime(text []byte) (time.Time, bool) {
	if at, ok := r.formatted(text); ok {
		return at, true
	}
	return parseSQLTime(text)
}

func (r *rules) formatted(text []byte) (time.Time, bool) {
	for _, format := range r.formats {
		parse := format.parse
		if format == nil {
			parse = parseMillis
		}
		if at, ok := parse(text); ok {
			return at, true
		}
	}
	return time.Time{}, false
}

// parseMillis reads milliseconds since 1970. Of a fraction nothing stays.
func parseMillis(text []byte) (time.Time, bool) {
	n, ok := parseNumber(text)
	if !ok || strings.ContainsAny(string(text), "+eE") {
		return time.Time{}, false
	}
	ms, ok := n.integer(0)
	return time.UnixMilli(ms).UTC(), ok
}
