package stacks

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/local/stacks/template"
)

// GetTemplate, GetTemplateSummary, ValidateTemplate
//
// Kept: the template as it was given, of stacks and of change sets; what it declares. As
// there are no transforms the processed template is the original.
// Left out: identifiers for imports. ValidateTemplate checks as much as CreateStack, the
// types of resources too, where AWS checks less.

func (s *Store) getTemplate(_ context.Context, c awsapi.Caller, in *struct{ StackName, ChangeSetName, TemplateStage *string }) (any, error) {
	if err := checkOneOf("templateStage", deref(in.TemplateStage), "Original", "Processed"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := struct {
		TemplateBody    string
		StagesAvailable []string
	}{StagesAvailable: []string{"Original", "Processed"}}
	switch {
	case in.ChangeSetName != nil:
		_, set, err := s.changeSetLocked(c, in.StackName, in.ChangeSetName)
		if err != nil {
			return nil, err
		}
		out.TemplateBody = set.Template
		return out, nil
	case in.StackName == nil:
		return nil, invalid("StackName is required if ChangeSetName is not specified.")
	}
	st, err := s.stackOfLocked(c, in.StackName, nil)
	if err != nil {
		return nil, err
	}
	out.TemplateBody = st.Template
	return out, nil
}

type declaredParameter struct {
	ParameterKey         string
	DefaultValue         *string
	ParameterType        string `json:",omitempty"`
	NoEcho               bool
	Description          string       `json:",omitempty"`
	ParameterConstraints *constraints `json:",omitempty"`
}

type constraints struct {
	AllowedValues []string `json:",omitempty"`
}

type templateSummary struct {
	Parameters                  []declaredParameter
	Description                 string   `json:",omitempty"`
	Capabilities                []string `json:",omitempty"`
	CapabilitiesReason          string   `json:",omitempty"`
	ResourceTypes               []string `json:",omitempty"`
	Version                     string   `json:",omitempty"`
	Metadata                    string   `json:",omitempty"`
	ResourceIdentifierSummaries []struct {
		ResourceType       string
		LogicalResourceIds []string
	} `json:",omitempty"`
}

// summary is what both summaries of a template have.
func summary(t *template.Template) *templateSummary {
	out := &templateSummary{Parameters: []declaredParameter{}, Description: t.Description}
	out.Capabilities, out.CapabilitiesReason = t.Capabilities()
	for _, p := range t.Parameters {
		out.Parameters = append(out.Parameters, declaredParameter{ParameterKey: p.Name, DefaultValue: p.Default, NoEcho: p.NoEcho, Description: p.Description})
	}
	return out
}

func (s *Store) validateTemplate(ctx context.Context, _ awsapi.Caller, in *source) (any, error) {
	body, err := s.read(ctx, in)
	if err != nil {
		return nil, err
	}
	t, err := parse(body)
	if err != nil {
		return nil, err
	}
	return summary(t), nil
}

func (s *Store) getTemplateSummary(ctx context.Context, c awsapi.Caller, in *struct {
	source
	StackName, StackSetName *string
},
) (any, error) {
	if in.StackSetName != nil {
		return nil, awsapi.NotImplemented("The local CloudFormation does not support stack sets.")
	}
	body, err := s.templateOf(ctx, c, &in.source, in.StackName)
	if err != nil {
		return nil, err
	}
	t, err := parse(body)
	if err != nil {
		return nil, err
	}
	out := summary(t)
	out.Version = t.Version
	for i, p := range t.Parameters {
		out.Parameters[i].ParameterType = p.Type
		out.Parameters[i].ParameterConstraints = &constraints{p.AllowedValues}
	}
	kinds := map[string]bool{}
	for _, r := range t.Resources {
		kinds[r.Type] = true
	}
	out.ResourceTypes = slices.Sorted(maps.Keys(kinds))
	if t.Metadata != nil {
		text, err := json.Marshal(t.Metadata)
		if err != nil {
			return nil, err
		}
		out.Metadata = string(text)
	}
	return out, nil
}

// templateOf is the template that a call gives, or a stack's.
func (s *Store) templateOf(ctx context.Context, c awsapi.Caller, in *source, name *string) (string, error) {
	if name == nil {
		return s.read(ctx, in)
	}
	if in.given() { // the rule is the API reference's, the words are ours
		return "", invalid("Only one of StackName, TemplateBody and TemplateURL may be specified.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.stackOfLocked(c, name, nil)
	switch {
	case err != nil:
		return "", err
	case st.Status == reviewInProgress:
		return "", invalid("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.")
	}
	return st.Template, nil
}
