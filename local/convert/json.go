package convert

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

type nodeKind uint8

const (
	jsonNull nodeKind = iota
	jsonFalse
	jsonTrue
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// node is a value of a JSON document. Those within an array or object follow it
// in document.nodes, so stepping over a value is one step.
type node struct {
	kind nodeKind
	key  []byte // its name in the object around it
	text []byte // the characters of a string, or a number as it is written
	end  int    // the index after its last node
}

// document is the last JSON document that was parsed. Its memory is used again for
// the next one, but for the bytes that nodes point at: those are the record's, or
// lie in scratch, which only the owner of the nodes empties.
type document struct {
	nodes   []node
	scratch []byte // strings that had escapes in them
	in      []byte
	pos     int
}

// maxJSONDepth is what Jackson, with which Firehose was seen to parse, takes at most
// (StreamReadConstraints).
const maxJSONDepth = 1000

// start is before the first of in's documents.
func (d *document) start(in []byte) { d.in, d.pos = in, 0 }

// more tells whether there is anything but white space left.
func (d *document) more() bool {
	d.space()
	return d.pos < len(d.in)
}

// next reads a document, by RFC 8259.
func (d *document) next() error {
	d.nodes = d.nodes[:0]
	return d.value(nil, 0)
}

func (d *document) value(key []byte, depth int) error {
	c := d.space()
	if depth > maxJSONDepth {
		return fmt.Errorf("it nests deeper than %d", maxJSONDepth)
	}
	i := len(d.nodes)
	d.nodes = append(d.nodes, node{key: key})
	var err error
	switch {
	case c == '{':
		d.nodes[i].kind = jsonObject
		err = d.object(depth)
	case c == '[':
		d.nodes[i].kind = jsonArray
		err = d.array(depth)
	case c == '"':
		d.nodes[i].kind = jsonString
		d.nodes[i].text, err = d.string()
	case c == '-' || c >= '0' && c <= '9':
		d.nodes[i].kind = jsonNumber
		d.nodes[i].text, err = d.number()
	default:
		d.nodes[i].kind, err = d.word()
	}
	d.nodes[i].end = len(d.nodes)
	return err
}

func (d *document) object(depth int) error {
	d.pos++
	if d.space() == '}' {
		d.pos++
		return nil
	}
	for {
		if d.space() != '"' {
			return d.unexpected("a member's name in quotes")
		}
		key, err := d.string()
		if err != nil {
			return err
		}
		if d.space() != ':' {
			return d.unexpected("a colon")
		}
		d.pos++
		if err := d.value(key, depth+1); err != nil {
			return err
		}
		switch d.space() {
		case ',':
			d.pos++
		case '}':
			d.pos++
			return nil
		default:
			return d.unexpected("a comma or }")
		}
	}
}

func (d *document) array(depth int) error {
	d.pos++
	if d.space() == ']' {
		d.pos++
		return nil
	}
	for {
		if err := d.value(nil, depth+1); err != nil {
			return err
		}
		switch d.space() {
		case ',':
			d.pos++
		case ']':
			d.pos++
			return nil
		default:
			return d.unexpected("a comma or ]")
		}
	}
}

// string reads a string. One without escapes is a piece of the record.
func (d *document) string() ([]byte, error) {
	d.pos++
	start := d.pos
	for ; d.pos < len(d.in); d.pos++ {
		switch c := d.in[d.pos]; {
		case c == '"':
			d.pos++
			return d.in[start : d.pos-1], nil
		case c == '\\':
			return d.escaped(start)
		case c < ' ':
			return nil, d.unexpected("a character of a string")
		}
	}
	return nil, d.unexpected("the end of a string")
}

func (d *document) escaped(start int) ([]byte, error) {
	from := len(d.scratch)
	d.scratch = append(d.scratch, d.in[start:d.pos]...)
	for d.pos < len(d.in) {
		c := d.in[d.pos]
		switch {
		case c == '"':
			d.pos++
			return d.scratch[from:len(d.scratch):len(d.scratch)], nil
		case c < ' ':
			return nil, d.unexpected("a character of a string")
		case c != '\\':
			d.scratch = append(d.scratch, c)
			d.pos++
		default:
			d.pos++
			if err := d.escape(); err != nil {
				return nil, err
			}
		}
	}
	return nil, d.unexpected("the end of a string")
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (d *document) escape() error {
	if d.pos == len(d.in) {
		return d.unexpected("an escaped character")
	}
	if c, ok := escapes[d.in[d.pos]]; ok {
		d.scratch = append(d.scratch, c)
		d.pos++
		return nil
	}
	r, ok := d.hex(d.pos)
	if !ok {
		return d.unexpected(`one of "\/bfnrt, or u and four hexadecimal digits,`)
	}
	d.pos += 5
	if utf16.IsSurrogate(r) {
		var low rune
		if d.pos < len(d.in) && d.in[d.pos] == '\\' {
			low, _ = d.hex(d.pos + 1)
		}
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError { // alone, it stands for no character
			d.pos += 6
		}
	}
	d.scratch = utf8.AppendRune(d.scratch, r)
	return nil
}

// hex is the character of "uXXXX" at pos.
func (d *document) hex(pos int) (rune, bool) {
	if len(d.in) < pos+5 || d.in[pos] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range d.in[pos+1 : pos+5] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func (d *document) number() ([]byte, error) {
	start := d.pos
	if d.in[d.pos] == '-' {
		d.pos++
	}
	zero := d.at() == '0'
	if n := d.digits(); n == 0 || zero && n > 1 {
		return nil, d.unexpected("a number")
	}
	if d.at() == '.' {
		d.pos++
		if d.digits() == 0 {
			return nil, d.unexpected("a digit")
		}
	}
	if c := d.at(); c == 'e' || c == 'E' {
		d.pos++
		if c := d.at(); c == '+' || c == '-' {
			d.pos++
		}
		if d.digits() == 0 {
			return nil, d.unexpected("a digit")
		}
	}
	return d.in[start:d.pos], nil
}

func (d *document) digits() int {
	start := d.pos
	for c := d.at(); c >= '0' && c <= '9'; c = d.at() {
		d.pos++
	}
	return d.pos - start
}

var words = [...]string{jsonNull: "null", jsonFalse: "false", jsonTrue: "true"}

func (d *document) word() (nodeKind, error) {
	for kind, word := range words {
		if bytes.HasPrefix(d.in[d.pos:], []byte(word)) {
			d.pos += len(word)
			return nodeKind(kind), nil
		}
	}
	return 0, d.unexpected("a value")
}

// space steps over white space and returns the byte behind it, as at does.
func (d *document) space() byte {
	for {
		switch c := d.at(); c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return c
		}
	}
}

// at is the next byte; 0, which no document can hold outside of a string, at the end.
func (d *document) at() byte {
	if d.pos == len(d.in) {
		return 0
	}
	return d.in[d.pos]
}

func (d *document) unexpected(want string) error {
	if d.pos == len(d.in) {
		return fmt.Errorf("it ends where %s should stand", want)
	}
	r, _ := utf8.DecodeRune(d.in[d.pos:])
	return fmt.Errorf("%q at byte %d stands where %s should", r, d.pos, want)
}

// appendJSON appends the i-th node as JSON without white space. Names are folded
// as fold says.
func (d *document) appendJSON(dst []byte, i int, fold func([]byte) []byte) []byte {
	n := &d.nodes[i]
	switch n.kind {
	case jsonNull, jsonFalse, jsonTrue:
		return append(dst, words[n.kind]...)
	case jsonNumber:
		return append(dst, n.text...)
	case jsonString:
		return appendQuoted(dst, n.text)
	}
	brackets := "[]"
	if n.kind == jsonObject {
		brackets = "{}"
	}
	dst = append(dst, brackets[0])
	for j := i + 1; j < n.end; j = d.nodes[j].end {
		if j > i+1 {
			dst = append(dst, ',')
		}
		if n.kind == jsonObject {
			dst = append(appendQuoted(dst, fold(d.nodes[j].key)), ':')
		}
		dst = d.appendJSON(dst, j, fold)
	}
	return append(dst, brackets[1])
}

func appendQuoted(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
