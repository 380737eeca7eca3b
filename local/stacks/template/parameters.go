package template

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Parameter is what a template says of one. Nil and zero: not said.
type Parameter struct {
	Name, Type, Description string
	Default                 *string
	NoEcho                  bool
	AllowedValues           []string
	AllowedPattern          string // matches all of a value
	ConstraintDescription   string
	MinLength, MaxLength    *int // characters
	MinValue, MaxValue      *float64

	pattern *regexp.Regexp
}

const (
	typeString  = "String"
	typeNumber  = "Number"
	typeNumbers = "List<Number>"
	typeList    = "CommaDelimitedList"
)

func (p *parser) readParameters(root *object) error {
	section, err := members(root, "Parameters")
	if err != nil {
		return err
	}
	for _, name := range section.keys {
		if !alphanumeric.MatchString(name) {
			return invalid("Template format error: Parameter name %s is non alphanumeric.", name)
		}
		o, ok := section.of[name].(*object)
		if !ok {
			return invalid("Template format error: Any Parameters member must be an object.")
		}
		parameter, err := readParameter(name, o)
		if err != nil {
			return err
		}
		p.t.Parameters = append(p.t.Parameters, parameter)
		p.parameters[name] = true
	}
	return nil
}

func readParameter(name string, o *object) (p Parameter, err error) {
	if err := o.allowed("parameter", "Type", "Default", "NoEcho", "AllowedValues", "AllowedPattern", "MaxLength", "MinLength",
		"MaxValue", "MinValue", "Description", "ConstraintDescription"); err != nil {
		return p, err
	}
	p.Name = name
	at := top.to("Parameters").to(name)
	if p.Type, err = parameterType(o, at); err != nil {
		return p, err
	}
	texts := map[string]*string{"Description": &p.Description, "AllowedPattern": &p.AllowedPattern, "ConstraintDescription": &p.ConstraintDescription}
	for key, to := range texts {
		if *to, err = o.text(key, at); err != nil {
			return p, err
		}
	}
	if _, ok := o.of["Default"]; ok {
		s, ok := Text(o.of["Default"])
		if !ok {
			return p, invalid("Template format error: Every Default member must be a string.")
		}
		p.Default = &s
	}
	return p, p.readConstraints(o, at)
}

func parameterType(o *object, at *path) (string, error) {
	t, ok := o.of["Type"].(string)
	switch {
	case !ok:
		return "", invalid("Template format error: Every Parameters object must contain a Type member.")
	case slices.Contains([]string{typeString, typeNumber, typeNumbers, typeList}, t):
		return t, nil
	case strings.HasPrefix(t, "AWS::SSM::Parameter::"):
		return "", invalid("The local Firehose does not support the parameter type %s at %s: it has no SSM parameters. "+
			"A CDK stack has such a parameter for its bootstrap version; with the BootstraplessSynthesizer it has none.", t, at)
	case strings.HasPrefix(t, "AWS::"), strings.HasPrefix(t, "List<AWS::"), t == "List<String>":
		return "", unsupported(at, "the parameter type "+t)
	}
	return "", invalid("Template format error: Unrecognized parameter type: %s", t)
}

func (p *Parameter) readConstraints(o *object, at *path) error {
	if v, ok := o.of["NoEcho"]; ok {
		s, _ := Text(v)
		if p.NoEcho = strings.EqualFold(s, "true"); !p.NoEcho && !strings.EqualFold(s, "false") {
			return invalid("Template format error: [%s] NoEcho must be true or false.", at)
		}
	}
	for _, c := range []struct {
		key, only string
		set       func(f float64)
	}{
		{"MinLength", typeString, func(f float64) { p.MinLength = new(int(f)) }},
		{"MaxLength", typeString, func(f float64) { p.MaxLength = new(int(f)) }},
		{"MinValue", typeNumber, func(f float64) { p.MinValue = new(f) }},
		{"MaxValue", typeNumber, func(f float64) { p.MaxValue = new(f) }},
	} {
		v, ok := o.of[c.key]
		if !ok {
			continue
		}
		s, _ := Text(v)
		f, err := number(s)
		if err != nil || c.only == typeString && (f != float64(int32(f)) || f < 0) {
			return invalid("Template format error: [%s] %s must be a number.", at, c.key)
		}
		if p.Type != c.only {
			return invalid("Template error: Parameter '%s' %s must be on a parameter of type %s", p.Name, c.key, c.only)
		}
		c.set(f)
	}
	if err := p.readPattern(at); err != nil {
		return err
	}
	return p.readAllowed(o)
}

func (p *Parameter) readPattern(at *path) (err error) {
	if p.AllowedPattern == "" {
		return nil
	}
	if p.Type == typeNumber || p.Type == typeNumbers {
		return invalid("Template error: Parameter '%s' AllowedPattern must be on a parameter of type String", p.Name)
	}
	// CloudFormation's are Java's: they have more than ours, such as look-ahead.
	if p.pattern, err = regexp.Compile(`\A(?:` + p.AllowedPattern + `)\z`); err != nil {
		return unsupported(at, "the regular expression "+p.AllowedPattern)
	}
	return nil
}

func (p *Parameter) readAllowed(o *object) error {
	v, ok := o.of["AllowedValues"]
	if !ok {
		return nil
	}
	items, ok := v.([]any)
	if !ok {
		return invalid("Template format error: Every AllowedValues member must be a list.")
	}
	p.AllowedValues = []string{}
	for _, item := range items {
		s, ok := Text(item)
		if !ok {
			return invalid("Template format error: Every AllowedValues value must be a string.")
		}
		p.AllowedValues = append(p.AllowedValues, s)
	}
	return nil
}

// number reads what Java takes for a number and JSON might hold: no NaN, no infinity.
func number(s string) (float64, error) {
	if s = strings.TrimSpace(s); strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(s, 64)
}

// check tells what is wrong with a value; nil: nothing.
func (p *Parameter) check(value string) error {
	err := p.checkItems(value)
	if err != nil && p.ConstraintDescription != "" {
		return invalid("Parameter %s failed to satisfy constraint: %s", p.Name, p.ConstraintDescription)
	}
	return err
}

// checkItems checks each item of a list by itself.
func (p *Parameter) checkItems(value string) error {
	items := []string{value}
	if p.isList() {
		items = splitList(value)
	}
	for _, item := range items {
		if err := p.checkOne(item); err != nil {
			return err
		}
	}
	return nil
}

func (p *Parameter) isList() bool { return p.Type == typeList || p.Type == typeNumbers }

func (p *Parameter) checkOne(s string) error {
	failed := func(format string, args ...any) error {
		return invalid("Parameter '"+strings.ReplaceAll(p.Name, "%", "%%")+"' must "+format, args...)
	}
	if p.Type == typeNumber || p.Type == typeNumbers {
		f, err := number(s)
		switch {
		case err != nil:
			return failed("be a number.")
		case p.MinValue != nil && f < *p.MinValue:
			return failed("be a number not less than %v", *p.MinValue)
		case p.MaxValue != nil && f > *p.MaxValue:
			return failed("be a number not greater than %v", *p.MaxValue)
		}
	}
	length := len([]rune(s))
	switch {
	case p.AllowedValues != nil && !slices.Contains(p.AllowedValues, s):
		return failed("be one of AllowedValues")
	case p.MinLength != nil && length < *p.MinLength:
		return failed("contain at least %d characters", *p.MinLength)
	case p.MaxLength != nil && length > *p.MaxLength:
		return failed("contain at most %d characters", *p.MaxLength)
	case p.pattern != nil && !p.pattern.MatchString(s):
		return failed("match pattern %s", p.AllowedPattern)
	}
	return nil
}

// splitList cuts a list at its commas, without the spaces around items (user guide,
// parameters).
func splitList(value string) []string {
	items := strings.Split(value, ",")
	for i, item := range items {
		items[i] = strings.TrimSpace(item)
	}
	return items
}
