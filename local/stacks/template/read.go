package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// maxDepth is how deep a template may be nested: ours, CloudFormation's is not known.
// It bounds every recursion over one.
const maxDepth = 100

// An object is a JSON object or a YAML mapping in the order in which it was written.
type object struct {
	keys []string
	of   map[string]any
}

// A path says where in a template something stands. It is made into text for errors only.
type path struct {
	up  *path
	key string
}

var top = &path{}

func (p *path) to(key string) *path { return &path{p, key} }

func (p *path) String() string {
	var keys []string
	for ; p != nil && p.up != nil; p = p.up {
		keys = append(keys, p.key)
	}
	var b strings.Builder
	for i := range keys {
		b.WriteString("/" + keys[len(keys)-1-i])
	}
	return b.String()
}

// read reads a template into *object, []any, string, bool and json.Number.
func read(body []byte) (*object, error) {
	if len(body) > MaxBody {
		return nil, invalid("The template has %d bytes; the most is %d.", len(body), MaxBody)
	}
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	readBody := readYAML
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		readBody = readJSON
	}
	v, err := readBody(body)
	if err != nil {
		return nil, err
	}
	root, ok := v.(*object)
	if !ok {
		return nil, invalid("Template format error: unsupported structure.")
	}
	return root, nil
}

func readJSON(body []byte) (any, error) {
	var all json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		line, column := 1, 1
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			before := body[:syntax.Offset]
			if err.Error() != "unexpected end of JSON input" {
				before = before[:max(len(before)-1, 0)] // Offset is behind the byte that is wrong
			}
			line += bytes.Count(before, []byte("\n"))
			column = len(before) - bytes.LastIndexByte(before, '\n')
		}
		return nil, invalid("Template format error: JSON not well-formed. (line %d, column %d)", line, column)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	return jsonValue(dec, top, 0)
}

// jsonValue reads a value. That the text is well-formed was seen before.
func jsonValue(dec *json.Decoder, at *path, depth int) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, invalid("Template format error: JSON not well-formed. %v", err)
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return notNull(token, at)
	}
	if depth == maxDepth {
		return nil, tooDeep(at)
	}
	if delim == '[' {
		list := []any{}
		for dec.More() {
			v, err := jsonValue(dec, at.to(indexKey(len(list))), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = dec.Token()
		return list, err
	}
	o := &object{of: map[string]any{}}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, invalid("Template format error: JSON not well-formed. %v", err)
		}
		key := token.(string)
		v, err := jsonValue(dec, at.to(key), depth+1)
		if err == nil {
			err = o.add(key, v, at)
		}
		if err != nil {
			return nil, err
		}
	}
	_, err = dec.Token()
	return o, err
}

// add refuses a key that is there: readers differ in which of the two counts, and one of
// them is not what its writer thinks.
func (o *object) add(key string, v any, at *path) error {
	if _, ok := o.of[key]; ok {
		return invalid("Template format error: [%s] The key %q stands twice. Remove one.", at, key)
	}
	o.keys, o.of[key] = append(o.keys, key), v
	return nil
}

func notNull(v any, at *path) (any, error) {
	if v == nil {
		return nil, invalid("[%s] 'null' values are not allowed in templates", at)
	}
	return v, nil
}

func tooDeep(at *path) error {
	return invalid("Template format error: [%s] The template is nested deeper than %d.", at, maxDepth)
}

// plain makes what was read into maps, lists and scalars.
func plain(v any) any {
	switch v := v.(type) {
	case *object:
		m := make(map[string]any, len(v.keys))
		for _, key := range v.keys {
			m[key] = plain(v.of[key])
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = plain(item)
		}
		return list
	default:
		return v
	}
}
