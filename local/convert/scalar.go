package convert

import (
	"bytes"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// scalar reads the i-th node of d, which is not null, as a t, which holds no others.
func (r *rules) scalar(t *hiveType, d *document, i int) (parquet.Value, error) {
	n := &d.nodes[i]
	switch {
	case r.hive:
		return r.hiveScalar(t, n)
	case t.isText() && n.kind >= jsonArray:
		// AWS was seen to write JSON without white space, its names in lower case.
		from := len(d.scratch)
		d.scratch = d.appendJSON(d.scratch, i, r.key)
		return t.textValue(d.scratch[from:len(d.scratch):len(d.scratch)]), nil
	}
	return t.openXScalar(n)
}

func (t *hiveType) isText() bool {
	return t.kind == kindString || t.kind == kindChar || t.kind == kindVarchar
}

// openXScalar follows the SerDe's object inspectors. AWS was seen to read numbers
// from strings, and to write numbers into strings. UNVERIFIED: that they stay as they
// stand in the record there (1.50), as in the SerDe.
func (t *hiveType) openXScalar(n *node) (parquet.Value, error) {
	switch {
	case t.isText() && n.kind < jsonArray:
		return t.textValue(n.plain()), nil
	case t.kind == kindBoolean && n.kind == jsonString: // Boolean.parseBoolean: all else is false
		return parquet.BooleanValue(bytes.EqualFold(n.text, []byte("true"))), nil
	case t.kind == kindBoolean && n.kind <= jsonTrue: // but a Java Long is no Boolean
		return parquet.BooleanValue(n.kind == jsonTrue), nil
	case t.kind == kindBoolean:
		return t.cannot(n)
	case n.kind == jsonString, n.kind == jsonNumber && t.kind != kindDate && t.kind != kindBinary:
		return t.fromText(n.text, parseOpenXTime)
	}
	return t.cannot(n)
}

// mapKey reads a map's key, which JSON always has as a string. Hive's SerDe reads
// numbers of it too, as OpenX's does.
func (t *hiveType) mapKey(key []byte) (parquet.Value, error) {
	return t.openXScalar(&node{kind: jsonString, text: key})
}

// fromText reads what is neither text nor boolean of a number or a string.
func (t *hiveType) fromText(text []byte, parseTime func([]byte) (time.Time, bool)) (parquet.Value, error) {
	v, ok := parquet.Value{}, false
	switch t.kind {
	case kindTinyint, kindSmallint, kindInt, kindBigint:
		var n int64
		if n, ok = parseInt(text, t.bits()); ok {
			v = t.intValue(n)
		}
	case kindFloat:
		var f float64
		f, ok = parseFloat(text, 32)
		v = parquet.FloatValue(float32(f))
	case kindDouble:
		var f float64
		f, ok = parseFloat(text, 64)
		v = parquet.DoubleValue(f)
	case kindDecimal:
		return t.decimalValue(text)
	case kindBinary: // Hive's SerDe takes the string's bytes. UNVERIFIED for OpenX's, which has no inspector for it
		return parquet.ByteArrayValue(text), nil
	case kindDate:
		var at time.Time
		if at, ok = parseDate(text); ok {
			return t.dateValue(at)
		}
	case kindTimestamp:
		var at time.Time
		if at, ok = parseTime(text); ok {
			return t.timeValue(at)
		}
	}
	if !ok { // Java's NumberFormatException; AWS was seen to say so for a double. UNVERIFIED for times
		return v, mismatch("For input string: \"%s\"", text)
	}
	return v, nil
}

// cannot is the error for a value of a kind that t is never read from. Its words are ours.
func (t *hiveType) cannot(n *node) (parquet.Value, error) {
	return parquet.Value{}, mismatch("%s can't be read from %s.", t.text, n.javaType())
}

func (t *hiveType) bits() int {
	switch t.kind {
	case kindTinyint:
		return 8
	case kindSmallint:
		return 16
	case kindInt:
		return 32
	}
	return 64
}

func (t *hiveType) intValue(n int64) parquet.Value {
	if t.kind == kindBigint {
		return parquet.Int64Value(n)
	}
	return parquet.Int32Value(int32(n))
}

// textValue cuts a char or varchar to its length, as HiveChar and HiveVarchar do; of
// a char Hive writes no spaces at the end.
func (t *hiveType) textValue(text []byte) parquet.Value {
	if t.kind != kindString && len(text) > t.length {
		end := 0
		for range t.length {
			_, size := utf8.DecodeRune(text[end:])
			end += size
		}
		text = text[:end]
	}
	if t.kind == kindChar {
		text = bytes.TrimRight(text, " ")
	}
	return parquet.ByteArrayValue(text)
}

// decimalValue rounds to the type's scale. UNVERIFIED: Hive makes a number that is
// too large null, where we let the record fail.
func (t *hiveType) decimalValue(text []byte) (parquet.Value, error) {
	n, ok := parseNumber(text)
	if !ok {
		return parquet.Value{}, mismatch("For input string: \"%s\"", text)
	}
	unscaled, ok := n.round(t.length, t.scale)
	if !ok {
		return parquet.Value{}, mismatch("%s is too large for %s.", text, t.text)
	}
	b := make([]byte, decimalBytes(t.length))
	twosComplement(unscaled, b)
	return parquet.FixedLenByteArrayValue(b), nil
}

func (t *hiveType) dateValue(at time.Time) (parquet.Value, error) {
	days, ok := date32(at)
	if !ok {
		return parquet.Value{}, mismatch("%v is too far away for a date.", at)
	}
	return parquet.Int32Value(days), nil
}

// timeValue: AWS was seen to make 2092 of the year 33658, as 64 bits of nanoseconds do
// when they overflow. UNVERIFIED that the file held that, and not what read it: an
// INT96 holds the year.
func (t *hiveType) timeValue(at time.Time) (parquet.Value, error) {
	i, ok := int96(at)
	if !ok {
		return parquet.Value{}, mismatch("%v is too far away for a timestamp.", at)
	}
	return parquet.Int96Value(i), nil
}
