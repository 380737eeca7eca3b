package template

import (
	"regexp"
	"strings"
)

// An expr is a value of a template, functions and all, whose form was checked.
type expr interface {
	// eval returns a plain value, or noValue. The result may share parts with the
	// template; scope.eval, which is how it is called, counts it.
	eval(s *scope) (any, error)
}

type (
	literal struct{ v any } // a string, bool or json.Number
	list    []expr
	mapping struct {
		keys []string
		of   map[string]expr
	}
	ref    struct{ name string }
	getAtt struct {
		resource  string
		attribute expr
	}
	sub    []expr // the parts of the text
	ifElse struct {
		condition string
		then, els expr
	}
	named struct{ condition string } // {"Condition": …}
	call  struct {
		fn   function
		args list
	}
)

// A compiler makes expressions of one block of a template, and collects references to
// what is not there.
type compiler struct {
	parser     *parser
	block      string // "Resources", "Outputs" or "Conditions"
	unresolved names
}

var pseudo = map[string]bool{
	"AWS::AccountId": true, "AWS::NoValue": true, "AWS::NotificationARNs": true, "AWS::Partition": true,
	"AWS::Region": true, "AWS::StackId": true, "AWS::StackName": true, "AWS::URLSuffix": true,
}

// functionOf takes an object with one key that is a function's name apart. CloudFormation was seen to take fn::GetAtt
// for an unknown function, not for a map.
func functionOf(v any) (name string, arg any, ok bool) {
	o, ok := v.(*object)
	if !ok || len(o.keys) != 1 {
		return "", nil, false
	}
	name = o.keys[0]
	return name, o.of[name], name == "Ref" || isFunction(name)
}

func isFunction(key string) bool { return len(key) > 4 && strings.EqualFold(key[:4], "Fn::") }

// value compiles what stands in Resources and Outputs, and beneath the functions of Conditions.
func (c *compiler) value(v any, at *path) (expr, error) {
	if name, arg, ok := functionOf(v); ok {
		return c.function(name, arg, at.to(name))
	}
	switch v := v.(type) {
	case []any:
		return c.list(v, at)
	case *object:
		m := &mapping{keys: v.keys, of: make(map[string]expr, len(v.keys))}
		for _, key := range v.keys {
			if key == "Ref" && len(v.keys) > 1 || isFunction(key) {
				return nil, invalid("Template format error: [%s] The function %s stands beside other members.", at, key)
			}
			e, err := c.value(v.of[key], at.to(key))
			if err != nil {
				return nil, err
			}
			m.of[key] = e
		}
		return m, nil
	default:
		return literal{v}, nil
	}
}

func (c *compiler) list(items []any, at *path) (list, error) {
	l := make(list, len(items))
	for i, item := range items {
		var err error
		if l[i], err = c.value(item, at.to(indexKey(i))); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (c *compiler) function(name string, arg any, at *path) (expr, error) {
	switch name {
	case "Ref":
		id, ok := arg.(string)
		if !ok {
			return nil, invalid("Template error: All References must be of type string")
		}
		return c.ref(id), nil
	case "Fn::GetAtt":
		return c.getAtt(arg, at)
	case "Fn::Sub":
		return c.sub(arg, at)
	case "Fn::If":
		return c.ifElse(arg, at)
	case "Fn::Cidr", "Fn::GetAZs", "Fn::ImportValue", "Fn::Transform", "Fn::Length", "Fn::ToJsonString",
		"Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn", "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll":
		return nil, unsupported(at, "the function "+name)
	}
	if strings.HasPrefix(name, "Fn::ForEach::") {
		return nil, unsupported(at, "the function Fn::ForEach")
	}
	fn, ok := functions[name]
	if !ok {
		return nil, invalid("Template Error: Encountered unsupported function: %s Supported functions are: [%s]", name, supported)
	}
	if fn.boolean {
		return nil, unsupported(at, "the function "+name+" outside of Conditions")
	}
	return c.call(name, fn, arg, at)
}

// call compiles the functions that are a list of arguments, or one, and no more.
func (c *compiler) call(name string, fn function, arg any, at *path) (expr, error) {
	items := []any{arg}
	if fn.list {
		var ok bool
		if items, ok = arg.([]any); !ok {
			return nil, invalid("%s", fn.complaint)
		}
	}
	if len(items) < fn.atLeast || len(items) > fn.atMost {
		return nil, invalid("%s", fn.complaint)
	}
	compile := c.list
	if fn.ofConditions {
		compile = c.conditions
	}
	args, err := compile(items, at)
	if err != nil {
		return nil, err
	}
	if m, ok := args[0].(literal); ok && name == "Fn::FindInMap" {
		if name, ok := Text(m.v); ok && c.parser.t.mappings[name] == nil {
			return nil, noMapping(name)
		}
	}
	return call{fn, args}, nil
}

func (c *compiler) ref(id string) expr {
	if !pseudo[id] && !c.parser.parameters[id] && (c.block == "Conditions" || c.parser.t.byID[id] == nil) {
		c.unresolved.add(id)
	}
	return ref{id}
}

func (c *compiler) getAtt(arg any, at *path) (expr, error) {
	items, _ := arg.([]any)
	if s, ok := arg.(string); ok {
		if id, attribute, ok := strings.Cut(s, "."); ok {
			items = []any{id, attribute}
		}
	}
	if len(items) != 2 || items[0] == "" || items[1] == "" {
		return nil, invalid("%s", badGetAtt)
	}
	id, ok := items[0].(string)
	if !ok {
		return nil, invalid("%s", badGetAtt)
	}
	if c.block == "Conditions" {
		c.unresolved.add(id)
	} else if c.parser.t.byID[id] == nil {
		return nil, invalid("Template error: instance of Fn::GetAtt references undefined resource %s", id)
	}
	attribute, err := c.value(items[1], at)
	if err != nil {
		return nil, err
	}
	switch attribute.(type) {
	case literal, ref: // the name of an attribute may be a Ref (user guide, Fn::GetAtt)
		return getAtt{id, attribute}, nil
	}
	return nil, invalid("%s", badGetAtt)
}

const badGetAtt = "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"

func (c *compiler) ifElse(arg any, at *path) (expr, error) {
	items, _ := arg.([]any)
	name, ok := "", false
	if len(items) > 0 {
		name, ok = items[0].(string)
	}
	if !ok {
		return nil, invalid("Template error: Fn::If requires a list argument with the first element being a condition")
	}
	if len(items) != 3 {
		return nil, invalid("Template error: Fn::If requires a list argument with three elements")
	}
	if c.block == "Conditions" {
		return nil, unsupported(at, "the function Fn::If in Conditions")
	}
	if !c.parser.conditions[name] {
		return nil, invalid("Template error: unresolved condition dependency %s in Fn::If", name)
	}
	branches, err := c.list(items[1:], at)
	if err != nil {
		return nil, err
	}
	return ifElse{name, branches[0], branches[1]}, nil
}

const badSub = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string"

func (c *compiler) sub(arg any, at *path) (expr, error) {
	text, ok := arg.(string)
	values := &mapping{}
	if items, isList := arg.([]any); isList && len(items) == 2 {
		text, ok = items[0].(string)
		m, isMap := items[1].(*object)
		if _, _, isFn := functionOf(items[1]); !isMap || isFn {
			return nil, invalid("%s", badSub)
		}
		for _, key := range m.keys {
			if !subKey.MatchString(key) {
				return nil, invalid("Template error: every key of the context object of every Fn::Sub object must contain only alphanumeric characters and underscores")
			}
		}
		e, err := c.value(m, at)
		if err != nil {
			return nil, err
		}
		values = e.(*mapping)
	}
	if !ok {
		return nil, invalid("%s", badSub)
	}
	return c.subParts(text, values, at)
}

var (
	subVariable = regexp.MustCompile(`^[a-zA-Z0-9_.:]+$`)
	subKey      = regexp.MustCompile(`^[a-zA-Z0-9_]+$`)
)

// subParts cuts a text at its ${variables}. ${!x} stands for ${x} itself. A ${ without an
// end is text.
func (c *compiler) subParts(text string, values *mapping, at *path) (parts sub, err error) {
	for {
		before, rest, ok := strings.Cut(text, "${")
		variable, after, ended := strings.Cut(rest, "}")
		if !ok || !ended {
			return append(parts, literal{text}), nil
		}
		if own, ok := strings.CutPrefix(variable, "!"); ok {
			parts = append(parts, literal{before + "${" + own + "}"})
			text = after
			continue
		}
		if !subVariable.MatchString(variable) {
			return nil, invalid("Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons")
		}
		part := values.of[variable]
		if part == nil {
			if part, err = c.subVariable(variable); err != nil {
				return nil, err
			}
		}
		parts, text = append(parts, literal{before}, part), after
	}
}

func (c *compiler) subVariable(variable string) (expr, error) {
	id, attribute, dotted := strings.Cut(variable, ".")
	if !dotted {
		return c.ref(variable), nil
	}
	if c.block == "Conditions" {
		c.unresolved.add(id)
	} else if c.parser.t.byID[id] == nil || attribute == "" {
		return nil, invalid("Template error: instance of Fn::Sub references invalid resource attribute %s", variable)
	}
	return getAtt{id, literal{attribute}}, nil
}

// condition compiles what stands in Conditions.
func (c *compiler) condition(v any, at *path) (expr, error) {
	o, _ := v.(*object)
	if o == nil || len(o.keys) != 1 {
		return nil, invalid("Template format error: [%s] Conditions can only be boolean operations on parameters and other conditions", at)
	}
	name := o.keys[0]
	arg, at := o.of[name], at.to(name)
	if name == "Condition" {
		other, ok := arg.(string)
		if !ok {
			return nil, invalid("Template error: All Conditions must be of type string")
		}
		if !c.parser.conditions[other] {
			return nil, invalid("Template format error: Unresolved condition dependency %s in the Conditions block of the template", other)
		}
		return named{other}, nil
	}
	if fn := functions[name]; fn.boolean {
		return c.call(name, fn, arg, at)
	}
	if isFunction(name) {
		// It is a value, or nothing that we know: c.function says which.
		if _, err := c.function(name, arg, at); err != nil {
			return nil, err
		}
	}
	return nil, invalid("Template format error: [%s] Conditions can only be boolean operations on parameters and other conditions", at)
}

// conditions compiles arguments that are conditions themselves.
func (c *compiler) conditions(items []any, at *path) (list, error) {
	l := make(list, len(items))
	for i, item := range items {
		var err error
		if l[i], err = c.condition(item, at.to(indexKey(i))); err != nil {
			return nil, err
		}
	}
	return l, nil
}
