package template

import (
	"encoding/json"
	"strconv"
	"strings"
)

const (
	maxValues = 4 << 20 // bytes of all values that one evaluation meets
	itemSize  = 32      // bytes that an item of a list counts for, besides its own
)

// A Lookup returns what Ref (attribute "") or Fn::GetAtt of a resource gives: a string, or
// any other plain value. False: there is no such attribute, which is an error of
// the evaluation. It is called only for resources in Bound.Needs of what is evaluated, or,
// by Bound.Outputs, for those in Bound.Order.
type Lookup func(id, attribute string) (any, bool)

// A scope is one evaluation.
type scope struct {
	b      *Bound
	lookup Lookup
	size   int // bytes so far
}

// noValue is AWS::NoValue: what has it is not there.
type noValue struct{}

// Properties evaluates a resource's properties: never nil, and without the members whose
// value is AWS::NoValue. All values are plain: map[string]any, []any, string, bool or
// json.Number, so they compare with Equal and encode as JSON. Numbers and booleans are as the
// template has them, but a Ref of a parameter is always text ("5"), as with CloudFormation,
// where the resource's schema decides: take either for either. See Text. The values may be
// shared with other calls, and are for reading only.
func (b *Bound) Properties(id string, lookup Lookup) (map[string]any, error) {
	r := b.t.byID[id]
	if r == nil || !b.has(r.Condition) {
		return nil, invalid("The stack has no resource %s.", id)
	}
	v, err := (&scope{b: b, lookup: lookup}).eval(r.properties)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case map[string]any:
		return v, nil
	case noValue:
		return map[string]any{}, nil
	}
	return nil, badProperties(top.to("Resources").to(id))
}

// An OutputValue is an output of a stack.
type OutputValue struct {
	Key, Value, Description string
	Export                  string // "": not exported
}

// Outputs evaluates the outputs whose condition holds, in the template's order.
func (b *Bound) Outputs(lookup Lookup) ([]OutputValue, error) {
	var all []OutputValue
	s := &scope{b: b, lookup: lookup}
	for _, out := range b.t.Outputs {
		if !b.has(out.Condition) {
			continue
		}
		v := OutputValue{Key: out.Key, Description: out.Description}
		for _, part := range []struct {
			e  expr
			to *string
		}{{out.value, &v.Value}, {out.export, &v.Export}} {
			if part.e == nil {
				continue
			}
			value, err := s.eval(part.e)
			if err != nil {
				return nil, err
			}
			text, ok := Text(value)
			if !ok {
				return nil, invalid(notString + ".")
			}
			*part.to = text
		}
		all = append(all, v)
	}
	return all, nil
}

// Text returns a string, number or boolean as CloudFormation joins it into a string: true is
// "true", a number is as it was written. False: v is a list or a map.
func Text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// Equal tells whether two plain values are the same to CloudFormation, which takes 5 for
// "5" and true for "true".
func Equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key := range a {
			if other, ok := b[key]; !ok || !Equal(a[key], other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !Equal(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	textA, ok := Text(a)
	textB, also := Text(b)
	return ok && also && textA == textB || a == nil && b == nil
}

func (s *scope) eval(e expr) (any, error) { return e.eval(s) }

// count bounds what an evaluation makes: a mapping's text, say, may be asked for many times.
func (s *scope) count(v any) (any, error) {
	if s.size += sizeOf(v); s.size > maxValues {
		return nil, tooLong()
	}
	return v, nil
}

func sizeOf(v any) int {
	size := 0
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			size += itemSize + sizeOf(item)
		}
	case map[string]any:
		for key, item := range v {
			size += itemSize + len(key) + sizeOf(item)
		}
	default:
		text, _ := Text(v)
		size = len(text)
	}
	return size
}

func tooLong() error {
	return invalid("The values of a resource, or of the outputs, come to more than %d MiB.", maxValues>>20)
}

func (e literal) eval(s *scope) (any, error) { return s.count(e.v) }

func (e list) eval(s *scope) (any, error) {
	items := make([]any, 0, len(e))
	for _, item := range e {
		v, err := s.eval(item)
		if err != nil {
			return nil, err
		}
		if _, ok := v.(noValue); !ok {
			items = append(items, v)
		}
	}
	return items, nil
}

func (e *mapping) eval(s *scope) (any, error) {
	m := make(map[string]any, len(e.keys))
	for _, key := range e.keys {
		v, err := s.eval(e.of[key])
		if err != nil {
			return nil, err
		}
		if _, ok := v.(noValue); !ok {
			m[key] = v
		}
	}
	return m, nil
}

func (e ref) eval(s *scope) (any, error) {
	if v, ok := s.b.refs[e.name]; ok {
		return s.count(v)
	}
	return s.look(e.name, "")
}

func (e getAtt) eval(s *scope) (any, error) {
	v, err := s.eval(e.attribute)
	if err != nil {
		return nil, err
	}
	attribute, ok := Text(v)
	if !ok || attribute == "" {
		return nil, invalid(badGetAtt)
	}
	return s.look(e.resource, attribute)
}

func (s *scope) look(id, attribute string) (any, error) {
	v, ok := s.lookup(id, attribute)
	if !ok {
		return nil, invalid("Resource type %s does not support attribute {%s}", s.b.t.byID[id].Type, attribute)
	}
	return s.count(v)
}

func (e sub) eval(s *scope) (any, error) {
	var text strings.Builder
	for _, part := range e {
		v, err := s.eval(part)
		if err != nil {
			return nil, err
		}
		piece, ok := Text(v)
		if !ok {
			return nil, invalid("Template error: every variable in a Fn::Sub must be a string, or a function that returns one.")
		}
		text.WriteString(piece)
	}
	return s.count(text.String())
}

func (e ifElse) eval(s *scope) (any, error) { return s.eval(e.branch(s.b.holds)) }

func (e named) eval(s *scope) (any, error) { return s.b.holds[e.condition], nil }

func (e call) eval(s *scope) (any, error) {
	args := make([]any, len(e.args))
	for i, arg := range e.args {
		var err error
		if args[i], err = s.eval(arg); err != nil {
			return nil, err
		}
	}
	v, err := e.fn.eval(s.b.t, args)
	if err != nil {
		return nil, err
	}
	return s.count(v)
}
