package infra

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Parameter is what a template says of one of its parameters. Members that it does not
// have are nil or empty.
type Parameter struct {
	Name                  string   `yaml:"-"`
	Type                  string   `yaml:"Type"`
	Description           string   `yaml:"Description"`
	Default               *string  `yaml:"Default"`
	AllowedValues         []string `yaml:"AllowedValues"`
	AllowedPattern        string   `yaml:"AllowedPattern"`
	ConstraintDescription string   `yaml:"ConstraintDescription"`
	MinValue              *Number  `yaml:"MinValue"`
	MaxValue              *Number  `yaml:"MaxValue"`
	MinLength             *Number  `yaml:"MinLength"`
	MaxLength             *Number  `yaml:"MaxLength"`
}

// Number is a number in a template, which may be quoted.
type Number float64

// UnmarshalYAML reads it.
func (n *Number) UnmarshalYAML(node *yaml.Node) error {
	v, err := strconv.ParseFloat(node.Value, 64)
	*n = Number(v)
	return err
}

// read is what this package looks at in a template.
type read struct {
	Parameters map[string]Parameter `yaml:"Parameters"`
	Resources  map[string]struct {
		Type           string `yaml:"Type"`
		DeletionPolicy string `yaml:"DeletionPolicy"`
	} `yaml:"Resources"`
}

// readTemplate reads JSON or YAML.
func readTemplate(text string) (*read, error) {
	raw := []byte(text)
	if json.Valid(raw) { // YAML has all of JSON but some escapes of its strings
		var v any
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		err := dec.Decode(&v)
		if err == nil {
			raw, err = json.Marshal(v)
		}
		if err != nil {
			return nil, fmt.Errorf("read the template: %w", err)
		}
	}
	var r read
	if err := yaml.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	if len(r.Resources) == 0 {
		return nil, errors.New("read the template: it has no Resources")
	}
	return &r, nil
}

// Parameters returns the parameters of a template in JSON or YAML, in alphabetical
// order.
func Parameters(template string) ([]Parameter, error) {
	r, err := readTemplate(template)
	if err != nil {
		return nil, err
	}
	var list []Parameter
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		p := r.Parameters[name]
		p.Name = name
		list = append(list, p)
	}
	return list, nil
}

// CheckParameters tells of every value that the template would not take, without
// asking CloudFormation. It does not look for those that are missing: a stack that is
// there has them already. Patterns that Go's regexp can't read, as they are Java's, are
// left to CloudFormation, and so are types such as AWS::SSM::Parameter::Value.
func CheckParameters(template string, values map[string]string) error {
	list, err := Parameters(template)
	if err != nil {
		return err
	}
	known := map[string]*Parameter{}
	for i := range list {
		known[list[i].Name] = &list[i]
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		p := known[name]
		if p == nil {
			problems = append(problems, fmt.Errorf("the template has no parameter %s, but %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", ")))
			continue
		}
		if why := p.refuses(values[name]); why != "" {
			problems = append(problems, fmt.Errorf("parameter %s is %q, it must %s", name, values[name], why))
		}
	}
	return errors.Join(problems...)
}

// refuses tells what a value must be that is none; "" for one that may be.
func (p *Parameter) refuses(value string) string {
	must := func(format string, args ...any) string {
		text := fmt.Sprintf(format, args...)
		if words, ok := strings.CutPrefix(p.ConstraintDescription, "must "); ok { // CloudFormation puts "Parameter NAME " before it
			return words
		}
		if p.ConstraintDescription != "" {
			text += ": " + p.ConstraintDescription
		}
		return text
	}
	if len(p.AllowedValues) > 0 && !slices.Contains(p.AllowedValues, value) {
		return must("be one of %s", strings.Join(p.AllowedValues, ", "))
	}
	if p.Type == "Number" {
		n, err := strconv.ParseFloat(value, 64)
		switch {
		case err != nil:
			return must("be a number")
		case p.MinValue != nil && n < float64(*p.MinValue):
			return must("be at least %v", *p.MinValue)
		case p.MaxValue != nil && n > float64(*p.MaxValue):
			return must("be at most %v", *p.MaxValue)
		}
	}
	switch length := Number(len([]rune(value))); {
	case p.MinLength != nil && length < *p.MinLength:
		return must("have at least %v characters", *p.MinLength)
	case p.MaxLength != nil && length > *p.MaxLength:
		return must("have at most %v characters", *p.MaxLength)
	}
	if p.AllowedPattern != "" {
		whole, err := regexp.Compile(`^(?:` + p.AllowedPattern + `)$`)
		if err == nil && !whole.MatchString(value) {
			return must("match %s", p.AllowedPattern)
		}
	}
	return ""
}
