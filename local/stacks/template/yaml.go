package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// CloudFormation reads YAML 1.1 without aliases, merge keys and the tags binary, omap,
// pairs, set and timestamp (user guide, template formats); so a date is a string. Numbers
// follow YAML 1.1: 012 is ten, which CloudFormation was seen to take for a default too.
// What YAML 1.1 alone knows, numbers to the base of 60, is a string here: what
// CloudFormation does with them is not known.

func readYAML(body []byte) (any, error) {
	dec := yaml.NewDecoder(bytes.NewReader(body))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, notYAML(err)
	}
	if err := dec.Decode(&second); err == nil {
		return nil, invalid("Template format error: unsupported structure.")
	} else if !errors.Is(err, io.EOF) {
		return nil, notYAML(err)
	}
	if doc.Kind != yaml.DocumentNode {
		return nil, invalid("Template format error: unsupported structure.") // nothing, or comments only
	}
	return yamlValue(doc.Content[0], top, 0)
}

func notYAML(err error) error {
	return invalid("Template format error: YAML not well-formed. (%s)", strings.TrimPrefix(err.Error(), "yaml: "))
}

func yamlValue(n *yaml.Node, at *path, depth int) (any, error) {
	if n.Kind == yaml.AliasNode {
		return nil, invalid("Template error: YAML aliases are not allowed in CloudFormation templates")
	}
	tag := n.Tag
	if short, ok := strings.CutPrefix(tag, "!"); ok && short != "" && !strings.HasPrefix(short, "!") && n.Style&yaml.TaggedStyle != 0 {
		return shortForm(short, n, at, depth)
	}
	return yamlUntagged(n, at, depth)
}

// shortForm reads a function's short form, such as !Sub: it is the long form, but
// that !GetAtt and !Ref take a scalar for what it is, never for a number.
func shortForm(short string, n *yaml.Node, at *path, depth int) (any, error) {
	name := "Fn::" + short
	if short == "Ref" || short == "Condition" {
		name = short
	}
	if depth+1 >= maxDepth {
		return nil, tooDeep(at)
	}
	untagged := *n
	untagged.Tag, untagged.Style = "", n.Style&^yaml.TaggedStyle
	if n.Kind == yaml.ScalarNode {
		untagged.Tag, untagged.Style = "!!str", untagged.Style|yaml.TaggedStyle
	}
	v, err := yamlUntagged(&untagged, at.to(name), depth+1)
	if err != nil {
		return nil, err
	}
	return &object{keys: []string{name}, of: map[string]any{name: v}}, nil
}

func yamlUntagged(n *yaml.Node, at *path, depth int) (any, error) {
	if n.Kind == yaml.ScalarNode {
		v, err := yamlScalar(n, at)
		if err != nil {
			return nil, err
		}
		return notNull(v, at)
	}
	if depth >= maxDepth {
		return nil, tooDeep(at)
	}
	if n.Kind == yaml.SequenceNode && hasTag(n, "!!seq") {
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			v, err := yamlValue(item, at.to(indexKey(i)), depth+1)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	}
	if n.Kind != yaml.MappingNode || !hasTag(n, "!!map") {
		return nil, unsupportedTag(n, at)
	}
	return yamlMapping(n, at, depth)
}

func yamlMapping(n *yaml.Node, at *path, depth int) (any, error) {
	o := &object{of: make(map[string]any, len(n.Content)/2)}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode || k.Style&yaml.TaggedStyle != 0 && k.ShortTag() != "!!str" {
			return nil, invalid("Template format error: unsupported structure.")
		}
		if k.Value == "<<" && k.Style == 0 {
			return nil, invalid("Template format error: [%s] CloudFormation has no YAML merge keys (<<).", at)
		}
		v, err := yamlValue(n.Content[i+1], at.to(k.Value), depth+1)
		if err == nil {
			err = o.add(k.Value, v, at)
		}
		if err != nil {
			return nil, err
		}
	}
	return o, nil
}

// hasTag tells whether a node has no tag of its writer's, or this one.
func hasTag(n *yaml.Node, tag string) bool {
	return n.Style&yaml.TaggedStyle == 0 || n.ShortTag() == tag
}

func unsupportedTag(n *yaml.Node, at *path) error {
	return invalid("Template format error: [%s] unsupported YAML tag %s", at, n.ShortTag())
}

// yamlScalar returns a string, a bool, a json.Number, or nil for null. A tag may say
// which; it can't make a value what it does not look like.
func yamlScalar(n *yaml.Node, at *path) (any, error) {
	const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if n.Style&yaml.TaggedStyle == 0 {
		if n.Style&quoted != 0 {
			return n.Value, nil
		}
		return plainScalar(n.Value), nil
	}
	tag := n.ShortTag()
	if tag == "!!str" {
		return n.Value, nil
	}
	v := plainScalar(n.Value)
	switch v.(type) {
	case json.Number:
		if tag == "!!int" || tag == "!!float" {
			return v, nil
		}
	case bool:
		if tag == "!!bool" {
			return v, nil
		}
	case nil:
		if tag == "!!null" {
			return v, nil
		}
	}
	return nil, unsupportedTag(n, at)
}

var (
	yamlDecimal = regexp.MustCompile(`^[-+]?(0|[1-9][0-9_]*)$`)
	yamlOctal   = regexp.MustCompile(`^[-+]?0[0-7_]+$`)
	yamlHex     = regexp.MustCompile(`^[-+]?0x[0-9a-fA-F_]+$`)
	yamlBinary  = regexp.MustCompile(`^[-+]?0b[01_]+$`)
	yamlFloat   = regexp.MustCompile(`^[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]{1,4})?$`)
	jsonNumber  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
)

// plainScalar reads a scalar that is not quoted.
func plainScalar(s string) any {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON":
		return true
	case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF":
		return false
	}
	if !strings.ContainsRune("+-.0123456789", rune(s[0])) || len(s) > 100 {
		return s
	}
	digits := strings.ReplaceAll(strings.TrimPrefix(s, "+"), "_", "")
	for _, based := range []struct {
		form *regexp.Regexp
		base int
	}{{yamlDecimal, 10}, {yamlOctal, 8}, {yamlHex, 0}, {yamlBinary, 0}} {
		if !based.form.MatchString(s) {
			continue
		}
		if n, ok := new(big.Int).SetString(digits, based.base); ok {
			return json.Number(n.String())
		}
	}
	if yamlFloat.MatchString(s) {
		return float(digits)
	}
	return s
}

// float makes a number as YAML writes it into one as JSON does, in its own digits where
// JSON has them: 1.50 stays.
func float(digits string) any {
	if jsonNumber.MatchString(digits) {
		return json.Number(digits)
	}
	// .5, 5. and 089, which is no octal: CloudFormation was seen to take such for a float.
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return digits
	}
	return json.Number(strconv.FormatFloat(f, 'f', -1, 64))
}

func indexKey(i int) string { return strconv.Itoa(i) }
