package template

import (
	"regexp"
	"slices"
	"strings"
)

// A parser has what the parts of a template need to know of one another.
type parser struct {
	t          *Template
	parameters map[string]bool
	conditions map[string]bool
}

var alphanumeric = regexp.MustCompile(`^[a-zA-Z0-9]+$`)

func (p *parser) sections(root *object) error {
	var unknown []string
	for _, key := range root.keys {
		switch key {
		case "AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings", "Conditions", "Resources", "Outputs":
		case "Transform", "Rules", "Hooks":
			return invalid("The local Firehose does not support a template's section %s.", key)
		default:
			unknown = append(unknown, key)
		}
	}
	if unknown != nil {
		return invalid("Invalid template property or properties [%s]", strings.Join(unknown, ", "))
	}
	return nil
}

func (p *parser) header(root *object) error {
	if v, ok := root.of["AWSTemplateFormatVersion"]; ok {
		p.t.Version, _ = Text(v)
		if p.t.Version != "2010-09-09" {
			return invalid("Template format error: %s is not a supported value for AWSTemplateFormatVersion.", p.t.Version)
		}
	}
	if v, ok := root.of["Metadata"]; ok {
		p.t.Metadata = plain(v)
	}
	var err error
	p.t.Description, err = root.text("Description", top)
	if err == nil && len(p.t.Description) > 1024 {
		err = invalid("Template format error: 'Description' length is greater than 1024.")
	}
	return err
}

// text returns a member that is a string, or another scalar; "" when there is none.
func (o *object) text(key string, at *path) (string, error) {
	v, ok := o.of[key]
	if !ok {
		return "", nil
	}
	s, ok := Text(v)
	if !ok {
		return "", invalid("Template format error: [%s] Every %s member must be a string.", at, key)
	}
	return s, nil
}

// members returns a section; nil when there is none.
func members(root *object, section string) (*object, error) {
	v, ok := root.of[section]
	if !ok {
		return &object{}, nil
	}
	o, ok := v.(*object)
	if !ok {
		return nil, invalid("Template format error: %s must be an object.", section)
	}
	if n := len(o.keys); n > maxOthers && (section == "Parameters" || section == "Mappings" || section == "Outputs") {
		return nil, invalid("The template has %d %s; the most is %d.", n, strings.ToLower(section), maxOthers)
	}
	return o, nil
}

// allowed refuses members of an object that nobody knows.
func (o *object) allowed(kind string, keys ...string) error {
	for _, key := range o.keys {
		if !slices.Contains(keys, key) {
			return invalid("Invalid template %s property '%s'", kind, key)
		}
	}
	return nil
}

func (p *parser) readMappings(root *object) error {
	section, err := members(root, "Mappings")
	if err != nil {
		return err
	}
	p.t.mappings = map[string]map[string]map[string]any{}
	for _, name := range section.keys {
		m, ok := section.of[name].(*object)
		if !ok {
			return invalid("Template format error: Every Mappings member %s must be a map", name)
		}
		p.t.mappings[name] = map[string]map[string]any{}
		for _, top := range m.keys {
			if p.t.mappings[name][top], err = mappingAttributes(m.of[top], name); err != nil {
				return err
			}
		}
	}
	return nil
}

func mappingAttributes(v any, name string) (map[string]any, error) {
	o, ok := v.(*object)
	if !ok {
		return nil, invalid("Template format error: Every Mappings member %s must be a map", name)
	}
	attributes := map[string]any{}
	for _, key := range o.keys {
		switch v := o.of[key].(type) {
		case *object:
			return nil, invalid("Template format error: Every Mappings attribute must be a String or a List.")
		case []any:
			for _, item := range v {
				if _, ok := Text(item); !ok {
					return nil, invalid("Template format error: Every Mappings attribute must be a String or a List.")
				}
			}
		}
		attributes[key] = plain(o.of[key])
	}
	return attributes, nil
}

// resourceNames comes before conditions and resources are read, as they refer to any.
func (p *parser) resourceNames(root *object) error {
	section, err := members(root, "Resources")
	if err != nil {
		return err
	}
	if len(section.keys) == 0 {
		return invalid("Template format error: At least one Resources member must be defined.")
	}
	if len(section.keys) > maxResources {
		return invalid("Template format error: Number of resources, %d, is greater than maximum allowed, %d", len(section.keys), maxResources)
	}
	var common []string
	for _, id := range section.keys {
		if !alphanumeric.MatchString(id) {
			return invalid("Template format error: Resource name %s is non alphanumeric.", id)
		}
		if p.parameters[id] {
			common = append(common, id)
		}
		r := &Resource{ID: id}
		p.t.Resources, p.t.byID[id] = append(p.t.Resources, r), r
	}
	if common != nil {
		return invalid("Template error: all resources and parameters must have unique names. Common name(s):[%s]", strings.Join(common, ", "))
	}
	return nil
}

// readConditions puts each condition behind those that it names, so that one pass
// decides them all.
func (p *parser) readConditions(root *object) error {
	section, err := members(root, "Conditions")
	if err != nil {
		return err
	}
	for _, name := range section.keys {
		if !alphanumeric.MatchString(name) {
			return invalid("Template format error: Condition name %s is non alphanumeric.", name)
		}
		p.conditions[name] = true
	}
	c := &compiler{parser: p, block: "Conditions"}
	is := map[string]expr{}
	for _, name := range section.keys {
		if is[name], err = c.condition(section.of[name], top.to("Conditions").to(name)); err != nil {
			return err
		}
	}
	if c.unresolved.names != nil {
		return invalid("Template format error: Unresolved dependencies [%s]. Cannot reference resources in the Conditions block of the template", c.unresolved.text())
	}
	order, circle := sortByNeeds(section.keys, func(name string) []string { return conditionsIn(is[name]) })
	if circle != nil {
		return invalid("Template error: Found circular condition dependency: [%s]", strings.Join(circle, ", "))
	}
	for _, name := range order {
		p.t.conditions = append(p.t.conditions, condition{name, is[name]})
	}
	return nil
}

func (p *parser) readResources(root *object) error {
	section := root.of["Resources"].(*object)
	c := &compiler{parser: p, block: "Resources"}
	for _, r := range p.t.Resources {
		if err := p.readResource(c, r, section.of[r.ID], top.to("Resources").to(r.ID)); err != nil {
			return err
		}
	}
	if c.unresolved.names != nil {
		return invalid("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", c.unresolved.text())
	}
	// A branch of Fn::If that is not taken makes no circle (Eucalyptus found so of AWS): Bind
	// knows which are.
	_, err := p.t.order(func(r *Resource) []string { return r.allNeeds(p.t, nil) })
	return err
}

func (p *parser) readResource(c *compiler, r *Resource, v any, at *path) error {
	o, ok := v.(*object)
	if !ok {
		return invalid("Template format error: Any Resources member must be an object.")
	}
	for _, key := range []string{"CreationPolicy", "UpdatePolicy"} {
		if _, ok := o.of[key]; ok {
			return unsupported(at, "the attribute "+key)
		}
	}
	if _, ok := o.of["Type"].(string); !ok {
		return invalid("Template format error: [%s] Every Resources object must contain a Type member.", at)
	}
	err := o.allowed("resource", "Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "Metadata", "Description")
	if err != nil {
		return err
	}
	if _, err := o.text("Description", at); err != nil {
		return err
	}
	r.Type = o.of["Type"].(string)
	if m, ok := o.of["Metadata"]; ok {
		r.Metadata = plain(m)
	}
	if r.Condition, err = p.conditionOf(o, "Resources", at); err != nil {
		return err
	}
	if r.DeletionPolicy, err = policyOf(o, "DeletionPolicy", r.ID, "RetainExceptOnCreate"); err != nil {
		return err
	}
	if r.UpdateReplacePolicy, err = policyOf(o, "UpdateReplacePolicy", r.ID); err != nil {
		return err
	}
	if r.DependsOn, err = c.dependsOn(o.of["DependsOn"]); err != nil {
		return err
	}
	return r.setProperties(c, o.of["Properties"], at)
}

func (r *Resource) setProperties(c *compiler, v any, at *path) (err error) {
	r.properties = &mapping{}
	if v == nil {
		return nil
	}
	if _, ok := v.(*object); !ok {
		return badProperties(at)
	}
	r.properties, err = c.value(v, at.to("Properties"))
	return err
}

func badProperties(at *path) error {
	return invalid("Template format error: [%s] Every Properties member must be an object.", at)
}

// conditionOf returns the name of the condition of a resource or an output.
func (p *parser) conditionOf(o *object, block string, at *path) (string, error) {
	name, err := o.text("Condition", at)
	if err == nil && name != "" && !p.conditions[name] {
		err = invalid("Template format error: Unresolved condition dependency %s in the %s block of the template", name, block)
	}
	return name, err
}

func policyOf(o *object, key, id string, more ...string) (string, error) {
	v, ok := o.of[key]
	if !ok {
		return "", nil
	}
	if policy, ok := v.(string); ok && slices.Contains(append(more, "Delete", "Retain", "Snapshot"), policy) {
		return policy, nil
	}
	return "", invalid("Template format error: Unrecognized %s %v for resource %s", key, plain(v), id)
}

func (c *compiler) dependsOn(v any) ([]string, error) {
	if v == nil {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var ids []string
	for _, item := range list {
		id, ok := item.(string)
		if !ok {
			return nil, invalid("Template format error: DependsOn must be a string or list of strings.")
		}
		if c.parser.t.byID[id] == nil {
			c.unresolved.add(id)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (p *parser) readOutputs(root *object) error {
	section, err := members(root, "Outputs")
	if err != nil {
		return err
	}
	c := &compiler{parser: p, block: "Outputs"}
	for _, key := range section.keys {
		if !alphanumeric.MatchString(key) {
			return invalid("Template format error: Output name %s is non alphanumeric.", key)
		}
		out, err := p.readOutput(c, key, section.of[key])
		if err != nil {
			return err
		}
		p.t.Outputs = append(p.t.Outputs, out)
	}
	if c.unresolved.names != nil {
		return invalid("Unresolved resource dependencies [%s] in the Outputs block of the template", c.unresolved.text())
	}
	return nil
}

func (p *parser) readOutput(c *compiler, key string, v any) (out Output, err error) {
	at := top.to("Outputs").to(key)
	o, ok := v.(*object)
	if !ok {
		return out, invalid("Template format error: Any Outputs member must be an object.")
	}
	if _, ok := o.of["Value"]; !ok {
		return out, invalid("Template format error: Every Outputs member must contain a Value object")
	}
	if err := o.allowed("output", "Value", "Description", "Condition", "Export"); err != nil {
		return out, err
	}
	out.Key = key
	if out.Description, err = o.text("Description", at); err != nil {
		return out, err
	}
	if out.Condition, err = p.conditionOf(o, "Outputs", at); err != nil {
		return out, err
	}
	if out.value, err = c.value(o.of["Value"], at.to("Value")); err != nil {
		return out, err
	}
	switch out.value.(type) {
	case *mapping:
		return out, invalid(notString + " and not a Map.")
	case list:
		return out, invalid(notString + " and not a List.")
	}
	if _, ok := o.of["Export"]; ok {
		out.export, err = c.exportName(o.of["Export"], at.to("Export"))
	}
	return out, err
}

const notString = "Template format error: The Value field of every Outputs member must evaluate to a String"

func (c *compiler) exportName(v any, at *path) (expr, error) {
	o, ok := v.(*object)
	if !ok || len(o.keys) != 1 || o.of["Name"] == nil {
		return nil, invalid("Template format error: [%s] Every Export member must be an object with a Name.", at)
	}
	return c.value(o.of["Name"], at.to("Name"))
}
