package convert

import (
	"fmt"
	"strconv"
	"strings"
)

type kind uint8

const (
	kindBoolean kind = iota
	kindTinyint
	kindSmallint
	kindInt
	kindBigint
	kindFloat
	kindDouble
	kindDecimal
	kindString
	kindChar
	kindVarchar
	kindBinary
	kindDate
	kindTimestamp
	kindArray
	kindMap
	kindStruct
)

var kinds = map[string]kind{
	"boolean": kindBoolean, "tinyint": kindTinyint, "smallint": kindSmallint, "int": kindInt, "integer": kindInt, "bigint": kindBigint,
	"float": kindFloat, "double": kindDouble, "decimal": kindDecimal, "string": kindString, "char": kindChar, "varchar": kindVarchar,
	"binary": kindBinary, "date": kindDate, "timestamp": kindTimestamp, "array": kindArray, "map": kindMap, "struct": kindStruct,
}

// maxDepth bounds how deep types nest. Parquet counts levels in bytes, and a map
// takes two of them.
const maxDepth = 32

// hiveType is a column's type, or what is within one. The row itself is a struct.
type hiveType struct {
	kind   kind
	text   string // as it was written
	length int    // of char and varchar, in characters; a decimal's precision
	scale  int    // a decimal's

	elem   *hiveType // of an array; a map's value
	key    *hiveType // of a map
	fields []field   // of a struct

	// members finds a field by the JSON key it is read from, and dotted by its
	// name, for keys whose dots become underscores.
	members, dotted map[string]int

	// Where the type's values lie in the file; see place.
	column, end int // its leaf columns
	rep, def    int // the levels of a value that is there
}

type field struct {
	name string // in lower case
	*hiveType
}

// typeParser reads what Hive and Glue write of types: "map<string,array<int>>".
type typeParser struct {
	text string
	pos  int
}

func parseType(text string) (*hiveType, error) {
	p := typeParser{text: text}
	t, err := p.parse(0)
	if err == nil && p.peek() != 0 {
		err = p.unexpected("the end")
	}
	if err != nil {
		return nil, fmt.Errorf("type %q: %w", text, err)
	}
	return t, nil
}

func (p *typeParser) parse(depth int) (*hiveType, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it nests deeper than %d", maxDepth)
	}
	p.peek()
	start := p.pos
	word := strings.ToLower(p.word())
	k, ok := kinds[word]
	switch {
	case word == "":
		return nil, p.unexpected("a type")
	case word == "uniontype":
		return nil, fmt.Errorf("uniontype can't be written as Parquet") // Hive's HiveSchemaConverter: "Union type not implemented"
	case !ok:
		return nil, fmt.Errorf("%q is not a type of Hive: one of boolean, tinyint, smallint, int, bigint, float, double, decimal(p,s), "+
			"string, char(n), varchar(n), binary, date, timestamp, array<…>, map<…,…>, struct<name:…>", word)
	}
	t := &hiveType{kind: k}
	err := p.parameters(t, depth)
	t.text = p.text[start:p.pos]
	return t, err
}

// parameters reads what stands behind a type's name.
func (p *typeParser) parameters(t *hiveType, depth int) (err error) {
	switch t.kind {
	case kindDecimal:
		return p.decimal(t)
	case kindChar: // HiveChar.MAX_CHAR_LENGTH
		return p.length(t, 255)
	case kindVarchar: // HiveVarchar.MAX_VARCHAR_LENGTH
		return p.length(t, 65535)
	case kindArray:
		return p.between(func() error { t.elem, err = p.parse(depth + 1); return err })
	case kindMap:
		return p.between(func() error { return p.mapTypes(t, depth) })
	case kindStruct:
		return p.between(func() error { t.fields, err = p.fields(depth + 1); return err })
	}
	return nil
}

func (p *typeParser) mapTypes(t *hiveType, depth int) (err error) {
	if t.key, err = p.parse(depth + 1); err != nil {
		return err
	}
	if t.key.kind >= kindArray {
		return fmt.Errorf("a map's key can't be %s", t.key.text)
	}
	if !p.take(',') {
		return p.unexpected("a comma and the type of the map's values")
	}
	t.elem, err = p.parse(depth + 1)
	return err
}

// fields reads "name:type,name:type".
func (p *typeParser) fields(depth int) ([]field, error) {
	var fields []field
	seen := map[string]bool{}
	for {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, fmt.Errorf("there are two members %q", name)
		}
		seen[name] = true
		if !p.take(':') {
			return nil, p.unexpected("a colon and the type of " + name)
		}
		t, err := p.parse(depth)
		if err != nil {
			return nil, err
		}
		fields = append(fields, field{name, t})
		if !p.take(',') {
			return fields, nil
		}
	}
}

// name reads a member's name, which may stand in backquotes. Names are in lower
// case in Hive (StandardStructObjectInspector).
func (p *typeParser) name() (string, error) {
	if p.peek() != '`' {
		n := strings.IndexAny(p.text[p.pos:], ":<>(),`")
		if n < 0 {
			n = len(p.text) - p.pos
		}
		name := strings.TrimSpace(p.text[p.pos : p.pos+n])
		if name == "" {
			return "", p.unexpected("a name")
		}
		p.pos += n
		return strings.ToLower(name), nil
	}
	var name strings.Builder
	for p.pos++; p.pos < len(p.text); p.pos++ {
		if p.text[p.pos] == '`' {
			p.pos++
			if p.pos == len(p.text) || p.text[p.pos] != '`' { // a doubled one is a backquote of the name
				return strings.ToLower(name.String()), nil
			}
		}
		name.WriteByte(p.text[p.pos])
	}
	return "", p.unexpected("a backquote")
}

func (p *typeParser) decimal(t *hiveType) (err error) {
	t.length, t.scale = 10, 0 // HiveDecimal's USER_DEFAULT_PRECISION and _SCALE
	if !p.take('(') {
		return nil
	}
	if t.length, err = p.number("precision", 1, 38); err != nil {
		return err
	}
	if p.take(',') {
		if t.scale, err = p.number("scale", 0, t.length); err != nil {
			return err
		}
	}
	if !p.take(')') {
		return p.unexpected(")")
	}
	return nil
}

func (p *typeParser) length(t *hiveType, most int) (err error) {
	if !p.take('(') {
		return p.unexpected("a length in parentheses")
	}
	if t.length, err = p.number("length", 1, most); err != nil {
		return err
	}
	if !p.take(')') {
		return p.unexpected(")")
	}
	return nil
}

func (p *typeParser) number(what string, least, most int) (int, error) {
	p.peek()
	word := p.word()
	n, err := strconv.Atoi(word)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s %q is not in %d..%d", what, word, least, most)
	}
	return n, nil
}

func (p *typeParser) between(inside func() error) error {
	if !p.take('<') {
		return p.unexpected("<")
	}
	if err := inside(); err != nil {
		return err
	}
	if !p.take('>') {
		return p.unexpected(">")
	}
	return nil
}

// word reads letters, digits and underscores.
func (p *typeParser) word() string {
	start := p.pos
	for p.pos < len(p.text) {
		if c := p.text[p.pos]; c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			break
		}
		p.pos++
	}
	return p.text[start:p.pos]
}

// peek is the next byte that is no space; 0 at the end.
func (p *typeParser) peek() byte {
	for ; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (p *typeParser) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.pos++
	return true
}

func (p *typeParser) unexpected(want string) error {
	if p.peek() == 0 {
		return fmt.Errorf("it ends where %s should stand", want)
	}
	return fmt.Errorf("%q stands where %s should", p.text[p.pos:], want)
}
