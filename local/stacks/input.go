package stacks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/local/stacks/template"
	"github.com/hydrant-go/hydrant/wire"
)

const (
	maxTemplateBody = 51_200 // bytes (API reference)
	maxName         = 128
	maxTags         = 50
	maxTopics       = 5
	maxToken        = 128
)

var (
	nameRE = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]*$`)
	// nameOrIDRE is what AWS was seen to name as the form of a stack's name.
	nameOrIDRE = regexp.MustCompile(`^([a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*)$`)
	tokenRE    = regexp.MustCompile(`^[a-zA-Z0-9][-a-zA-Z0-9]*$`)
)

// violation is the error of a value that breaks a constraint; at is the parameter.
func violation(value any, at, constraint string) error {
	text := "null"
	if value != nil {
		text = fmt.Sprintf("'%.600s'", fmt.Sprint(value))
	}
	return invalid("1 validation error detected: Value %s at '%s' failed to satisfy constraint: Member must %s", text, at, constraint)
}

// checkText checks the length and the form of a parameter that may be left out.
func checkText(at string, text *string, least, most int, form *regexp.Regexp) error {
	switch {
	case text == nil:
		return nil
	case len(*text) < least:
		return violation(*text, at, fmt.Sprintf("have length greater than or equal to %d", least))
	case len(*text) > most:
		return violation(*text, at, fmt.Sprintf("have length less than or equal to %d", most))
	case form != nil && !form.MatchString(*text):
		return violation(*text, at, "satisfy regular expression pattern: "+strings.Trim(form.String(), "^()$"))
	}
	return nil
}

// checkNameOrID checks a stack's name or id.
func checkNameOrID(name *string) error {
	if name == nil {
		return violation(nil, "stackName", "not be null")
	}
	return checkText("stackName", name, 1, 1600, nameOrIDRE)
}

// checkNewName checks the name of a stack that is to be.
func checkNewName(name *string) error {
	if err := checkNameOrID(name); err != nil {
		return err
	}
	return checkText("stackName", name, 1, maxName, nameRE)
}

func checkToken(token *string) error {
	return checkText("clientRequestToken", token, 1, maxToken, tokenRE)
}

func checkOneOf(at, value string, values ...string) error {
	if value != "" && !slices.Contains(values, value) {
		return violation(value, at, "satisfy enum value set: ["+strings.Join(values, ", ")+"]")
	}
	return nil
}

// source says where a template is.
type source struct{ TemplateBody, TemplateURL *string }

// deployment is what CreateStack, UpdateStack and CreateChangeSet have in common. Of lists,
// nil is not given, which an update takes for what there is.
type deployment struct {
	StackName *string
	source
	UsePreviousTemplate  bool
	Parameters           []givenParameter
	Capabilities         []string
	NotificationARNs     []string
	Tags                 []givenTag
	RoleARN              *string
	ClientRequestToken   *string
	DisableRollback      bool
	RetainExceptOnCreate bool
	DeploymentConfig     struct {
		Mode            string
		DisableRollback bool
	}

	// What is refused.
	ResourceTypes                                []string
	RollbackConfiguration                        rollbackConfiguration
	StackPolicyBody, StackPolicyURL              *string
	StackPolicyDuringUpdateBody                  *string
	StackPolicyDuringUpdateURL, TimeoutInMinutes *string
}

type rollbackConfiguration struct {
	RollbackTriggers        []struct{ Arn, Type string }
	MonitoringTimeInMinutes int
}

type givenParameter struct {
	ParameterKey, ParameterValue *string
	UsePreviousValue             bool
}

type givenTag struct{ Key, Value *string }

// check checks what can be told without the template and the stack.
func (in *deployment) check() error {
	if err := in.unsupported(); err != nil {
		return err
	}
	for _, err := range []error{
		checkToken(in.ClientRequestToken), checkText("roleARN", in.RoleARN, 20, 2048, nil),
		checkOneOf("deploymentConfig.mode", in.DeploymentConfig.Mode, "STANDARD", "EXPRESS"), checkTags(in.Tags),
	} {
		if err != nil {
			return err
		}
	}
	if len(in.NotificationARNs) > maxTopics {
		return violation(fmt.Sprint(in.NotificationARNs), "notificationARNs", fmt.Sprintf("have length less than or equal to %d", maxTopics))
	}
	for _, c := range in.Capabilities {
		if err := checkOneOf("capabilities", c, "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND", "CAPABILITY_IAM"); err != nil {
			return err
		}
	}
	return nil
}

// unsupported refuses by name what would be accepted and dropped otherwise. A role is
// taken: nobody looks at roles here.
func (in *deployment) unsupported() error {
	for _, p := range []struct {
		given bool
		name  string
	}{
		{in.ResourceTypes != nil, "ResourceTypes"},
		{in.RollbackConfiguration.RollbackTriggers != nil || in.RollbackConfiguration.MonitoringTimeInMinutes != 0, "RollbackConfiguration"},
		{in.StackPolicyBody != nil || in.StackPolicyURL != nil, "stack policies"},
		{in.StackPolicyDuringUpdateBody != nil || in.StackPolicyDuringUpdateURL != nil, "stack policies"},
		{in.TimeoutInMinutes != nil, "TimeoutInMinutes"},
		{in.DeploymentConfig.Mode == "EXPRESS", "the DeploymentConfig Mode EXPRESS"},
	} {
		if p.given {
			return awsapi.NotImplemented("The local CloudFormation does not support %s.", p.name)
		}
	}
	return nil
}

func checkTags(tags []givenTag) error {
	if len(tags) > maxTags {
		return violation(fmt.Sprintf("[%d members]", len(tags)), "tags", fmt.Sprintf("have length less than or equal to %d", maxTags))
	}
	seen := map[string]bool{}
	for i, t := range tags {
		at := fmt.Sprintf("tags.%d.member.", i+1)
		switch {
		case t.Key == nil:
			return violation(nil, at+"key", "not be null")
		case t.Value == nil:
			return violation(nil, at+"value", "not be null")
		case strings.HasPrefix(strings.ToLower(*t.Key), "aws:"): // the rule is AWS's, the words are ours
			return invalid("The tag %s is not allowed: keys that begin with aws: are AWS's.", *t.Key)
		case seen[*t.Key]: // the rule is AWS's, the words are ours
			return invalid("The tag %s is there twice.", *t.Key)
		}
		seen[*t.Key] = true
		if err := checkText(at+"key", t.Key, 1, 128, nil); err != nil {
			return err
		}
		if err := checkText(at+"value", t.Value, 1, 256, nil); err != nil {
			return err
		}
	}
	return nil
}

func tagsOf(given []givenTag) []tag {
	tags := make([]tag, len(given))
	for i, t := range given {
		tags[i] = tag{*t.Key, *t.Value}
	}
	return tags
}

// parameters are the parameters as templates want them.
func (in *deployment) parameters() (map[string]template.Given, error) {
	given := map[string]template.Given{}
	for _, p := range in.Parameters {
		key := deref(p.ParameterKey)
		switch _, twice := given[key]; {
		case key == "":
			return nil, violation(nil, "parameters.member.parameterKey", "not be null")
		case twice: // how AWS words it is not known
			return nil, invalid("The parameter %s is there twice.", key)
		case p.UsePreviousValue && deref(p.ParameterValue) != "":
			return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true and non empty value for a parameter", key)
		case p.ParameterValue == nil && !p.UsePreviousValue:
			return nil, invalid("Parameters: [%s] must have values", key)
		}
		given[key] = template.Given{Value: deref(p.ParameterValue), UsePrevious: p.UsePreviousValue}
	}
	return given, nil
}

// given tells whether there is a template at all.
func (in *source) given() bool { return in.TemplateBody != nil || in.TemplateURL != nil }

// read returns the template's text.
func (s *Store) read(ctx context.Context, in *source) (string, error) {
	switch {
	case !in.given():
		return "", invalid("Either Template URL or Template Body must be specified.")
	case in.TemplateBody != nil && in.TemplateURL != nil:
		// The rule is the API reference's, the words are ours.
		return "", invalid("Only one of Template URL and Template Body may be specified.")
	case in.TemplateURL != nil:
		return s.download(ctx, *in.TemplateURL)
	}
	if n := len(*in.TemplateBody); n == 0 || n > maxTemplateBody {
		return "", checkText("templateBody", in.TemplateBody, 1, maxTemplateBody, nil)
	}
	return *in.TemplateBody, nil
}

// s3Host is a host of S3, with the bucket in front of it or not.
var s3Host = regexp.MustCompile(`^(?:(.+)\.)?s3(?:[.-]dualstack)?(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?$`)

// download reads a template from our own S3. A URL of AWS's S3 is one of ours, too: that
// is what the AWS CLI makes of a template that it has put there.
func (s *Store) download(ctx context.Context, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", invalid("TemplateURL must be a supported URL.")
	}
	bucket, key, ok := s3Object(u)
	switch {
	case !ok:
		return "", invalid("S3 error: Domain name specified in %s is not a valid S3 domain", u.Hostname())
	case s.cfg.Buckets == nil:
		return "", awsapi.NotImplemented("The local CloudFormation does not support TemplateURL where there are no buckets.")
	}
	text, err := s.cfg.Buckets.ReadObject(ctx, bucket, key, template.MaxBody+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", invalid("S3 error: The specified key does not exist.\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html")
	case err != nil:
		return "", err
	case len(text) > template.MaxBody: // the limit is AWS's, the words are ours
		return "", invalid("The template at %s is longer than %d bytes.", address, template.MaxBody)
	}
	return string(text), nil
}

// s3Object finds bucket and key in a URL of S3.
func s3Object(u *url.URL) (bucket, key string, ok bool) {
	host, path := u.Hostname(), strings.TrimPrefix(u.Path, "/")
	if m := s3Host.FindStringSubmatch(host); m != nil {
		bucket = m[1]
	} else if b, found := strings.CutSuffix(host, ".localhost"); found {
		bucket = b
	} else if host != "localhost" && net.ParseIP(host) == nil {
		return "", "", false
	}
	if bucket == "" {
		bucket, path, _ = strings.Cut(path, "/")
	}
	return bucket, path, bucket != "" && path != ""
}

// parse reads a template, and refuses types that there are not, before anything is made.
func parse(body string) (*template.Template, error) {
	t, err := template.Parse([]byte(body))
	if err != nil {
		return nil, refusal(err)
	}
	var unknown []string
	for _, r := range t.Resources {
		if types[r.Type] == nil && !slices.Contains(unknown, r.Type) {
			unknown = append(unknown, r.Type)
		}
	}
	if unknown != nil {
		return nil, invalid("Template format error: Unrecognized resource types: [%s]", strings.Join(unknown, ", "))
	}
	return t, nil
}

// refusal is an error of a template as the API's.
func refusal(err error) error {
	if e, ok := errors.AsType[*template.Error](err); ok {
		return invalid("%s", e.Message)
	}
	return err
}

// checkCapabilities wants to be told what a template can do.
func checkCapabilities(t *template.Template, given []string) error {
	needed, _ := t.Capabilities()
	for _, c := range needed {
		if !slices.Contains(given, c) && !(c == "CAPABILITY_IAM" && slices.Contains(given, "CAPABILITY_NAMED_IAM")) {
			return wire.Errorf(codeCapabilities, "Requires capabilities : [%s]", c)
		}
	}
	return nil
}
