package template

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// A function is one that is given by the values of its arguments.
type function struct {
	boolean         bool // stands in Conditions only
	list            bool // its arguments are a list; else it has one
	atLeast, atMost int
	complaint       string // when they are not
	ofConditions    bool   // its arguments are conditions, else values
	eval            func(t *Template, args []any) (any, error)
}

const (
	badJoin      = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."
	badSplit     = "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split."
	badSelect    = "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"
	badFindInMap = "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value"
	badBase64    = "Template error: every Fn::Base64 object must have a String-typed value."
	badEquals    = "Template error: every Fn::Equals object requires a list of 2 string parameters."
	badNot       = "Template error: Fn::Not requires a list argument with one element"
	tenBooleans  = " object requires a list of at least 2 and at most 10 boolean parameters."
)

var functions = map[string]function{
	"Fn::Join":      {list: true, atLeast: 2, atMost: 2, complaint: badJoin, eval: join},
	"Fn::Split":     {list: true, atLeast: 2, atMost: 2, complaint: badSplit, eval: split},
	"Fn::Select":    {list: true, atLeast: 2, atMost: 2, complaint: badSelect, eval: selectOne},
	"Fn::FindInMap": {list: true, atLeast: 3, atMost: 3, complaint: badFindInMap, eval: findInMap},
	"Fn::Base64":    {atLeast: 1, atMost: 1, complaint: badBase64, eval: encodeBase64},
	"Fn::Equals":    {boolean: true, list: true, atLeast: 2, atMost: 2, complaint: badEquals, eval: equals},
	"Fn::Not":       {boolean: true, list: true, atLeast: 1, atMost: 1, complaint: badNot, ofConditions: true, eval: not},
	"Fn::And":       {boolean: true, list: true, atLeast: 2, atMost: 10, complaint: "Template error: every Fn::And" + tenBooleans, ofConditions: true, eval: and},
	"Fn::Or":        {boolean: true, list: true, atLeast: 2, atMost: 10, complaint: "Template error: every Fn::Or" + tenBooleans, ofConditions: true, eval: or},
}

const supported = "Fn::Base64, Fn::GetAtt, Fn::Join, Fn::Split, Fn::FindInMap, Fn::Select, Ref, Fn::Equals, Fn::If, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Sub"

// unknown tells whether a text has in it what only making a resource will tell. A function
// of such a text is not known either: AWS was seen to show a Fn::Join, Fn::Select and
// Fn::Split of it in a change set as KnownAfterApply alone, and a Fn::Sub with the rest
// of its text.
func unknown(v any) bool {
	s, ok := v.(string)
	return ok && strings.Contains(s, KnownAfterApply)
}

func join(_ *Template, args []any) (any, error) {
	delimiter, ok := Text(args[0])
	items, isList := args[1].([]any)
	if unknown(args[0]) || unknown(args[1]) {
		return KnownAfterApply, nil
	}
	if !ok || !isList {
		return nil, invalid("%s", badJoin)
	}
	texts, size := make([]string, len(items)), len(delimiter)*len(items)
	for i, item := range items {
		if unknown(item) {
			return KnownAfterApply, nil
		}
		if texts[i], ok = Text(item); !ok {
			return nil, invalid("%s", badJoin)
		}
		size += len(texts[i])
	}
	if size > maxValues {
		return nil, tooLong()
	}
	return strings.Join(texts, delimiter), nil
}

func split(_ *Template, args []any) (any, error) {
	delimiter, ok := Text(args[0])
	text, isText := Text(args[1])
	if unknown(args[0]) || unknown(args[1]) {
		return KnownAfterApply, nil
	}
	if !ok || !isText || delimiter == "" {
		return nil, invalid("%s", badSplit)
	}
	if strings.Count(text, delimiter) > maxValues/itemSize {
		return nil, tooLong()
	}
	parts := []any{}
	for part := range strings.SplitSeq(text, delimiter) {
		parts = append(parts, part)
	}
	return parts, nil
}

func selectOne(_ *Template, args []any) (any, error) {
	text, ok := Text(args[0])
	if unknown(args[0]) || unknown(args[1]) {
		return KnownAfterApply, nil
	}
	index, err := strconv.Atoi(text)
	items, isList := args[1].([]any)
	if !ok || err != nil || !isList {
		return nil, invalid("%s", badSelect)
	}
	if index < 0 || index >= len(items) {
		return nil, invalid("Template error: Fn::Select cannot select nonexistent value at index %d", index)
	}
	return items[index], nil
}

func findInMap(t *Template, args []any) (any, error) {
	var keys [3]string
	for i, arg := range args {
		key, ok := Text(arg)
		if !ok {
			return nil, invalid("%s", badFindInMap)
		}
		keys[i] = key
	}
	m, ok := t.mappings[keys[0]]
	if !ok {
		return nil, noMapping(keys[0])
	}
	v, ok := m[keys[1]][keys[2]]
	if !ok {
		return nil, invalid("Template error: Unable to get mapping for %s::%s::%s", keys[0], keys[1], keys[2])
	}
	return v, nil
}

func noMapping(name string) error {
	return invalid("Template error: Mapping named '%s' is not present in the 'Mappings' section of template.", name)
}

func encodeBase64(_ *Template, args []any) (any, error) {
	text, ok := Text(args[0])
	if !ok {
		return nil, invalid("%s", badBase64)
	}
	if unknown(text) {
		return KnownAfterApply, nil
	}
	return base64.StdEncoding.EncodeToString([]byte(text)), nil
}

func equals(_ *Template, args []any) (any, error) {
	a, isText := Text(args[0])
	b, also := Text(args[1])
	if !isText || !also {
		return nil, invalid("%s", badEquals)
	}
	return a == b, nil
}

func not(_ *Template, args []any) (any, error) { return !args[0].(bool), nil }

func and(_ *Template, args []any) (any, error) {
	for _, arg := range args {
		if !arg.(bool) {
			return false, nil
		}
	}
	return true, nil
}

func or(_ *Template, args []any) (any, error) {
	for _, arg := range args {
		if arg.(bool) {
			return true, nil
		}
	}
	return false, nil
}
