package stacks_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local"
)

// What is wrong with a call is told before anything is made.
func TestRefused(t *testing.T) {
	w := newWorld(t, local.Config{})
	type in = cloudformation.CreateStackInput
	simple := func() m { return m{"Resources": m{"R": resource("AWS::CDK::Metadata", m{})}} }
	for _, tt := range []struct {
		what   string
		change func(*in)
		want   string
	}{
		{"no template", func(in *in) { in.TemplateBody = nil }, "ValidationError: Either Template URL or Template Body must be specified."},
		{"two templates", func(in *in) { in.TemplateURL = aws.String("https://s3.amazonaws.com/b/k") }, "ValidationError: Only one of"},
		{"a bad name", func(in *in) { in.StackName = aws.String("*@$") }, `ValidationError: 1 validation error detected: Value '*@$' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*`},
		{"an id", func(in *in) { in.StackName = aws.String("arn:aws:x") }, "ValidationError: 1 validation error detected: Value 'arn:aws:x' at 'stackName' failed"},
		{"no name", func(in *in) { in.StackName = aws.String("") }, "ValidationError: 1 validation error detected: Value '' at 'stackName' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"a long name", func(in *in) { in.StackName = aws.String("x" + strings.Repeat("y", 128)) }, "ValidationError: 1 validation error detected: Value 'xyyy"},
		{
			"a long template",
			func(in *in) { in.TemplateBody = aws.String(*body(simple()) + strings.Repeat(" ", 51_200)) },
			"ValidationError: 1 validation error detected: Value '{",
		},
		{"JSON that is none", func(in *in) { in.TemplateBody = aws.String(`{"Resources": {`) }, "ValidationError: Template format error: JSON not well-formed."},
		{"unknown types", func(in *in) {
			in.TemplateBody = body(m{"Resources": m{"A": resource("AWS::EC2::Instance", m{}), "B": resource("Custom::Mine", m{}), "C": resource("AWS::EC2::Instance", m{})}})
		}, "ValidationError: Template format error: Unrecognized resource types: [AWS::EC2::Instance, Custom::Mine]"},
		{"no capability", func(in *in) { in.TemplateBody, in.Capabilities = body(pipeline()), nil }, "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_IAM]"},
		{"another capability", func(in *in) {
			in.TemplateBody = body(edited("Role", m{"RoleName": "r"}))
		}, "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_NAMED_IAM]"},
		{"a capability that is none", func(in *in) { in.Capabilities = []types.Capability{"X"} }, "ValidationError: 1 validation error detected: Value 'X' at 'capabilities' failed to satisfy constraint: Member must satisfy enum value set: ["},
		{"an unknown parameter", func(in *in) { in.Parameters = parameters("X", "1") }, "ValidationError: Parameters: [X] do not exist in the template"},
		{
			"a parameter twice",
			func(in *in) { in.TemplateBody, in.Parameters = body(pipeline()), parameters("Days", "1", "Days", "3") },
			"ValidationError: The parameter Days is there twice.",
		},
		{"a bad parameter", func(in *in) { in.TemplateBody, in.Parameters = body(pipeline()), parameters("Days", "x") }, "ValidationError: Parameter 'Days' must be a number."},
		{"a previous value of none", func(in *in) {
			in.TemplateBody, in.Parameters = body(pipeline()), []types.Parameter{{ParameterKey: aws.String("Days"), UsePreviousValue: aws.Bool(true)}}
		}, "ValidationError: Invalid input for parameter key Days."},
		{"an AWS tag", func(in *in) {
			in.Tags = []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("1")}}
		}, "ValidationError: The tag aws:x is not allowed"},
		{"an empty tag", func(in *in) { in.Tags = []types.Tag{{Key: aws.String("x"), Value: aws.String("")}} }, "ValidationError: 1 validation error detected: Value '' at 'tags.1.member.value' failed"},
		{"many tags", func(in *in) {
			for i := range 51 {
				in.Tags = append(in.Tags, types.Tag{Key: aws.String(fmt.Sprint(i)), Value: aws.String("x")})
			}
		}, "ValidationError: 1 validation error detected: Value '[51 members]' at 'tags'"},
		{"many topics", func(in *in) { in.NotificationARNs = strings.Fields("a b c d e f") }, "ValidationError: 1 validation error detected: Value '[a b c d e f]' at 'notificationARNs'"},
		{"both", func(in *in) { in.OnFailure, in.DisableRollback = types.OnFailureDelete, aws.Bool(true) }, "ValidationError: Either DisableRollback or OnFailure can be specified, not both."},
		{"a token", func(in *in) { in.ClientRequestToken = aws.String("-") }, "ValidationError: 1 validation error detected: Value '-' at 'clientRequestToken'"},
		{"a policy", func(in *in) { in.StackPolicyBody = aws.String("{}") }, "NotImplementedException: The local CloudFormation does not support stack policies."},
		{"a timeout", func(in *in) { in.TimeoutInMinutes = aws.Int32(1) }, "NotImplementedException: The local CloudFormation does not support TimeoutInMinutes."},
		{"triggers", func(in *in) {
			in.RollbackConfiguration = &types.RollbackConfiguration{RollbackTriggers: []types.RollbackTrigger{{Arn: aws.String("a"), Type: aws.String("b")}}}
		}, "NotImplementedException: The local CloudFormation does not support RollbackConfiguration."},
		{"types", func(in *in) { in.ResourceTypes = []string{"AWS::*"} }, "NotImplementedException: The local CloudFormation does not support ResourceTypes."},
		{"express", func(in *in) {
			in.DeploymentConfig = &types.DeploymentConfig{Mode: types.DeploymentConfigModeExpress}
		}, "NotImplementedException: The local CloudFormation does not support the DeploymentConfig Mode EXPRESS."},
		{"a URL", func(in *in) { in.TemplateBody, in.TemplateURL = nil, aws.String("nonsense") }, "ValidationError: TemplateURL must be a supported URL."},
		{"a URL elsewhere", func(in *in) { in.TemplateBody, in.TemplateURL = nil, aws.String("https://example.com/a/b") }, "ValidationError: S3 error: Domain name specified in example.com is not a valid S3 domain"},
		{"a URL of nothing", func(in *in) { in.TemplateBody, in.TemplateURL = nil, aws.String("https://s3.amazonaws.com/b/k") }, "ValidationError: S3 error: The specified key does not exist."},
	} {
		in := &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: body(simple()), Capabilities: iam}
		tt.change(in)
		_, err := w.CreateStack(t.Context(), in)
		check(t, tt.what, err, tt.want)
	}
	_, err := w.ListStackSets(t.Context(), &cloudformation.ListStackSetsInput{})
	check(t, "another operation", err, "NotImplementedException: The local Firehose does not support CloudFormation's ListStackSets.")
	out, err := w.ListStacks(t.Context(), &cloudformation.ListStacksInput{})
	if err != nil || len(out.StackSummaries) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	w.wantNothing()
}

// Templates of many resources, deep ones and those that grow are made or refused, and
// harm nobody.
func TestHostileTemplates(t *testing.T) {
	w := newWorld(t, local.Config{})
	many := m{}
	for i := range 501 {
		many[fmt.Sprintf("R%d", i)] = resource("AWS::CDK::Metadata", m{})
	}
	chain := m{"R0": resource("AWS::CDK::Metadata", m{})}
	for i := range 400 {
		chain[fmt.Sprintf("R%d", i+1)] = resource("AWS::CDK::Metadata", m{"X": ref(fmt.Sprintf("R%d", i))})
	}
	var grown []any
	for range 3000 {
		grown = append(grown, ref("P"))
	}
	parameter := m{"P": m{"Type": "String", "Default": strings.Repeat("x", 4096)}}
	var some []any
	for range 300 {
		some = append(some, ref("P"))
	}
	for _, tt := range []struct {
		what string
		text string
		want string
	}{
		{"deep JSON", `{"Resources":{"R":{"Type":"AWS::CDK::Metadata","Properties":{"X":` + strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000) + `}}}}`, "ValidationError: "},
		{"deep YAML", "Resources:\n  R:\n    Type: AWS::CDK::Metadata\n    Properties: {X: " + strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000) + "}", "ValidationError: "},
		{"YAML that grows", "Resources:\n  R:\n    Type: AWS::CDK::Metadata\n    Properties:\n      a: &a [x,x,x,x,x,x,x,x,x]\n      b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n      c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n      d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n      e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n      f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n      g: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n", "ValidationError: "},
		{"many resources", *body(m{"Resources": many}), "ValidationError: Template format error: Number of resources, 501, is greater than maximum allowed, 500"},
		{"a circle", *body(m{"Resources": m{"A": resource("AWS::CDK::Metadata", m{"X": ref("B")}), "B": resource("AWS::CDK::Metadata", m{"X": ref("A")})}}), "ValidationError: "},
		{"a long chain", *body(m{"Resources": chain}), "ok"},
		{"values that grow", *body(m{"Parameters": parameter, "Resources": m{"R": resource("AWS::CDK::Metadata", m{"X": grown})}}), "ok"},
		{"values that grow a little", *body(m{"Parameters": parameter, "Resources": m{"R": resource("AWS::CDK::Metadata", m{"X": some})}}), "ok"},
	} {
		_, err := w.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: &tt.text})
		check(t, tt.what, err, tt.want)
		if err != nil {
			continue
		}
		st := w.settled("s")
		t.Logf("%s: %s %s", tt.what, st.StackStatus, aws.ToString(st.StackStatusReason))
		if grows := strings.HasPrefix(tt.what, "values"); grows == (st.StackStatus == types.StackStatusCreateComplete) {
			t.Errorf("%s: %s", tt.what, st.StackStatus)
		}
		w.delete("s")
		w.settled(*st.StackId)
	}
}

// Of calls that would make the same stack one makes it.
func TestTogether(t *testing.T) {
	w := newWorld(t, local.Config{})
	var mu sync.Mutex
	made, wg := 0, sync.WaitGroup{}
	for range 8 {
		wg.Go(func() {
			_, err := w.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: body(pipeline()), Capabilities: iam})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made++
				return
			}
			check(t, "create", err, "AlreadyExistsException: Stack [s] already exists")
		})
	}
	wg.Wait()
	if made != 1 {
		t.Errorf("%d were made", made)
	}
	w.want("s", types.StackStatusCreateComplete, "")
	for i := range 8 { // updates and deletions, in whatever order: nothing is left half-way
		wg.Go(func() {
			_, err := w.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{
				StackName: aws.String("s"), TemplateBody: body(pipeline()), Capabilities: iam, Parameters: parameters("Prefix", fmt.Sprintf("p%d/", i)),
			})
			if err != nil && !strings.HasPrefix(code(err), "ValidationError: Stack") {
				t.Error(code(err))
			}
		})
		wg.Go(func() {
			_, err := w.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s")})
			if err != nil {
				check(t, "delete", err, "ValidationError: Stack [s] cannot be deleted while in status UPDATE_")
			}
		})
	}
	wg.Wait()
	for range 100 {
		if _, err := w.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s")}); err == nil {
			break
		}
		w.pause()
	}
	for range 1000 {
		if _, err := w.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("s")}); err != nil {
			check(t, "at the end", err, "ValidationError: Stack with id s does not exist")
			break
		}
		w.pause()
	}
	w.wantNothing()
}

// A call that is repeated with its token is the same call.
func TestTokens(t *testing.T) {
	w := newWorld(t, local.Config{})
	token := func(s string) *string { return &s }
	create := &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: body(pipeline()), Capabilities: iam, ClientRequestToken: token("t1")}
	first, err := w.CreateStack(t.Context(), create)
	if err != nil {
		t.Fatal(err)
	}
	w.settled("s")
	again, err := w.CreateStack(t.Context(), create)
	if err != nil || *again.StackId != *first.StackId {
		t.Errorf("%+v, %v", again, err)
	}
	create.ClientRequestToken = token("t2")
	_, err = w.CreateStack(t.Context(), create)
	check(t, "another token", err, "AlreadyExistsException: ")
	update := &cloudformation.UpdateStackInput{StackName: aws.String("s"), TemplateBody: body(pipeline()), Capabilities: iam, Parameters: parameters("Days", "30"), ClientRequestToken: token("t1")}
	_, err = w.UpdateStack(t.Context(), update)
	check(t, "the same token", err, "TokenAlreadyExistsException: ")
	update.ClientRequestToken = token("t3")
	for range 2 {
		_, err = w.UpdateStack(t.Context(), update)
		check(t, "update", err, "ok")
		w.want("s", types.StackStatusUpdateComplete, "")
	}
	out, err := w.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("s")})
	if err != nil || aws.ToString(out.StackEvents[0].ClientRequestToken) != "t3" {
		t.Errorf("%+v, %v", out, err)
	}
}

// There are a thousand stacks at once; lists have them all.
func TestManyStacks(t *testing.T) {
	if testing.Short() {
		t.Skip("a thousand stacks")
	}
	w := newWorld(t, local.Config{})
	template := m{"Resources": m{"R": resource("AWS::CDK::Metadata", m{})}, "Outputs": m{"O": m{"Value": "1", "Export": m{"Name": ref("AWS::StackName")}}}}
	const n = 1000
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := i; j < n; j += 8 {
				w.create(fmt.Sprintf("s%d", j), template)
			}
		})
	}
	wg.Wait()
	for i := range n {
		w.want(fmt.Sprintf("s%d", i), types.StackStatusCreateComplete, "")
	}
	described, listed, exports := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for p := cloudformation.NewDescribeStacksPaginator(w, &cloudformation.DescribeStacksInput{}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range out.Stacks {
			described[*st.StackId] = true
		}
	}
	for p := cloudformation.NewListStacksPaginator(w, &cloudformation.ListStacksInput{StackStatusFilter: []types.StackStatus{types.StackStatusCreateComplete}}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range out.StackSummaries {
			listed[*st.StackId] = true
		}
	}
	for p := cloudformation.NewListExportsPaginator(w, &cloudformation.ListExportsInput{}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Exports {
			exports[*e.Name] = true
		}
	}
	if len(described) != n || len(listed) != n || len(exports) != n {
		t.Errorf("%d described, %d listed, %d exports", len(described), len(listed), len(exports))
	}
	id := w.create("twice", m{"Resources": m{"R": resource("AWS::CDK::Metadata", m{})}, "Outputs": m{"O": m{"Value": "1", "Export": m{"Name": "s7"}}}})
	w.want("twice", types.StackStatusRollbackComplete, "")
	if got := of(w.events(id), "stack"); got[1] != "ROLLBACK_IN_PROGRESS: Export with name s7 is already exported by stack s7. Rollback requested by user." {
		t.Errorf("%q", got)
	}
}

// A template may be in the S3 that is served here, by whatever URL.
func TestTemplateURL(t *testing.T) {
	w := newWorld(t, local.Config{})
	w.putText("templates", "a/demo.json", *body(pipeline())+strings.Repeat(" ", 60_000))
	w.putText("templates", "long.json", *body(pipeline())+strings.Repeat(" ", 1_000_000))
	for _, address := range []string{
		"https://s3.us-east-1.amazonaws.com/templates/a/demo.json", "https://templates.s3.us-east-1.amazonaws.com/a/demo.json", "https://s3.amazonaws.com/templates/a/demo.json",
		"http://127.0.0.1:4573/templates/a/demo.json", "http://localhost:1/templates/a/demo.json", "http://templates.localhost/a/demo.json",
	} {
		out, err := w.GetTemplateSummary(t.Context(), &cloudformation.GetTemplateSummaryInput{TemplateURL: &address})
		if err != nil || len(out.ResourceTypes) != 5 {
			t.Errorf("%s: %+v, %v", address, out, err)
		}
	}
	_, err := w.ValidateTemplate(t.Context(), &cloudformation.ValidateTemplateInput{TemplateURL: aws.String("http://localhost/templates/long.json")})
	check(t, "a long one", err, "ValidationError: The template at http://localhost/templates/long.json is longer than 1000000 bytes.")
}

// What a template declares is told, and the template given back.
func TestTemplates(t *testing.T) {
	w := newWorld(t, local.Config{})
	text := body(pipeline())
	valid, err := w.ValidateTemplate(t.Context(), &cloudformation.ValidateTemplateInput{TemplateBody: text})
	if err != nil || len(valid.Parameters) != 3 || *valid.Description != "a pipeline" || len(valid.Capabilities) != 1 || *valid.CapabilitiesReason != "The following resource(s) require capabilities: [AWS::IAM::Role]" {
		t.Errorf("%+v, %v", valid, err)
	}
	w.create("s", pipeline())
	w.settled("s")
	summary, err := w.GetTemplateSummary(t.Context(), &cloudformation.GetTemplateSummaryInput{StackName: aws.String("s")})
	if err != nil || len(summary.ResourceTypes) != 5 || *summary.Parameters[0].ParameterType == "" {
		t.Errorf("%+v, %v", summary, err)
	}
	got, err := w.GetTemplate(t.Context(), &cloudformation.GetTemplateInput{StackName: aws.String("s")})
	if err != nil || *got.TemplateBody != *text {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := w.changeSet("s", "c", types.ChangeSetTypeUpdate, edited("Group", m{"RetentionInDays": 3})); err != nil {
		t.Fatal(err)
	}
	got, err = w.GetTemplate(t.Context(), &cloudformation.GetTemplateInput{StackName: aws.String("s"), ChangeSetName: aws.String("c")})
	if err != nil || *got.TemplateBody != *body(edited("Group", m{"RetentionInDays": 3})) {
		t.Errorf("%+v, %v", got, err)
	}
	for what, call := range map[string]func() error{
		"ValidationError: Stack with id none does not exist": func() error {
			_, err := w.GetTemplate(t.Context(), &cloudformation.GetTemplateInput{StackName: aws.String("none")})
			return err
		},
		"ValidationError: StackName is required if ChangeSetName is not specified.": func() error {
			_, err := w.GetTemplate(t.Context(), &cloudformation.GetTemplateInput{})
			return err
		},
		"ChangeSetNotFound: ChangeSet [x] does not exist": func() error {
			_, err := w.GetTemplate(t.Context(), &cloudformation.GetTemplateInput{StackName: aws.String("s"), ChangeSetName: aws.String("x")})
			return err
		},
		"ValidationError: Resource X does not exist for stack s": func() error {
			_, err := w.DescribeStackResource(t.Context(), &cloudformation.DescribeStackResourceInput{StackName: aws.String("s"), LogicalResourceId: aws.String("X")})
			return err
		},
		"ValidationError: Stack [none] does not exist": func() error {
			_, err := w.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("none")})
			return err
		},
		"ValidationError: Stack with id none does not exist ": func() error {
			_, err := w.ListStackResources(t.Context(), &cloudformation.ListStackResourcesInput{StackName: aws.String("none")})
			return err
		},
	} {
		check(t, what, call(), strings.TrimSpace(what))
	}
	bucket := w.physical("s", "Bucket")
	byResource, err := w.DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{PhysicalResourceId: &bucket})
	if err != nil || len(byResource.StackResources) != 5 {
		t.Errorf("%+v, %v", byResource, err)
	}
}

// Secrets are not told, but kept for what wants the previous value.
func TestSecrets(t *testing.T) {
	w := newWorld(t, local.Config{})
	template := m{
		"Parameters": m{"Secret": m{"Type": "String", "NoEcho": true}},
		"Resources":  m{"R": resource("AWS::IAM::ManagedPolicy", m{"PolicyDocument": m{}, "Path": ref("Secret")})},
	}
	w.create("s", template, func(in *cloudformation.CreateStackInput) { in.Parameters = parameters("Secret", "/one/") })
	st := w.want("s", types.StackStatusCreateComplete, "")
	if *st.Parameters[0].ParameterValue != "****" || !strings.HasPrefix(w.physical("s", "R"), "arn:aws:iam::123456789012:policy/one/s-R-") {
		t.Errorf("%s, %s", *st.Parameters[0].ParameterValue, w.physical("s", "R"))
	}
	_, err := w.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{
		StackName: aws.String("s"), UsePreviousTemplate: aws.Bool(true), Capabilities: iam,
		Parameters: []types.Parameter{{ParameterKey: aws.String("Secret"), UsePreviousValue: aws.Bool(true)}},
	})
	check(t, "the previous value", err, "ValidationError: No updates are to be performed.")
}

// Stacks are of an account in a region.
func TestRegions(t *testing.T) {
	w := newWorld(t, local.Config{})
	there := cloudformation.NewFromConfig(w.aws, func(o *cloudformation.Options) { o.Region = "us-gov-west-1" })
	out, err := there.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: body(pipeline()), Capabilities: iam})
	if err != nil || !strings.HasPrefix(*out.StackId, "arn:aws-us-gov:cloudformation:us-gov-west-1:123456789012:stack/s/") {
		t.Fatalf("%+v, %v", out, err)
	}
	for _, name := range []string{"s", *out.StackId} {
		_, err = w.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &name})
		check(t, "from another region", err, "ValidationError: Stack with id "+name+" does not exist")
	}
	role, err := there.DescribeStackResource(t.Context(), &cloudformation.DescribeStackResourceInput{StackName: aws.String("s"), LogicalResourceId: aws.String("Role")})
	if err != nil || !strings.HasPrefix(*role.StackResourceDetail.PhysicalResourceId, "s-Role-") {
		t.Errorf("%+v, %v", role, err)
	}
	identity, err := sts.NewFromConfig(w.aws).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *identity.Account != account || *identity.Arn != "arn:aws:iam::123456789012:root" || *identity.UserId != account {
		t.Errorf("%+v, %v", identity, err)
	}
	_, err = sts.NewFromConfig(w.aws).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/r"), RoleSessionName: aws.String("s")})
	check(t, "AssumeRole", err, "NotImplementedException: The local Firehose does not support STS's AssumeRole.")
}

// Ref and attributes of all types are such as AWS has them.
func TestAttributes(t *testing.T) {
	w := newWorld(t, local.Config{})
	template := pipeline()
	resources(template)["Policy"] = resource("AWS::S3::BucketPolicy", m{"Bucket": ref("Bucket"), "PolicyDocument": m{}})
	resources(template)["Inline"] = resource("AWS::IAM::Policy", m{"PolicyName": "p", "PolicyDocument": m{}, "Roles": []any{ref("Role")}})
	resources(template)["Managed"] = resource("AWS::IAM::ManagedPolicy", m{"PolicyDocument": m{}})
	resources(template)["Alarm"] = resource("AWS::CloudWatch::Alarm", m{})
	resources(template)["Board"] = resource("AWS::CloudWatch::Dashboard", m{"DashboardBody": "{}", "DashboardName": "board"})
	resources(template)["Key"] = resource("AWS::KMS::Key", m{})
	resources(template)["Function"] = resource("AWS::Lambda::Function", m{"Code": m{"ZipFile": "x"}, "Role": attr("Role", "Arn")})
	outputs := m{}
	for name, value := range map[string]m{
		"Bucket": ref("Bucket"), "BucketArn": attr("Bucket", "Arn"), "BucketDomain": attr("Bucket", "RegionalDomainName"),
		"GroupArn": attr("Group", "Arn"), "Log": ref("Log"), "StreamArn": attr("Stream", "Arn"), "Policy": ref("Policy"),
		"RoleArn": attr("Role", "Arn"), "RoleId": attr("Role", "RoleId"), "Inline": ref("Inline"), "Managed": ref("Managed"), "AlarmArn": attr("Alarm", "Arn"),
		"Board": ref("Board"), "KeyArn": attr("Key", "Arn"), "FunctionArn": attr("Function", "Arn"),
	} {
		outputs[name] = m{"Value": value}
	}
	template["Outputs"] = outputs
	w.create("demo", template)
	st := w.want("demo", types.StackStatusCreateComplete, "")
	got := map[string]string{}
	for _, o := range st.Outputs {
		text := *o.OutputValue
		for _, id := range []string{"Bucket", "Role", "Stream", "Inline", "Alarm", "Key", "Function"} {
			text = strings.ReplaceAll(text, w.physical("demo", id), "<"+id+">")
		}
		got[*o.OutputKey] = text
	}
	if id := got["RoleId"]; len(id) != 21 || !strings.HasPrefix(id, "AROA") {
		t.Errorf("RoleId %q", id)
	}
	if managed := got["Managed"]; !strings.HasPrefix(managed, "arn:aws:iam::123456789012:policy/demo-Managed-") {
		t.Errorf("Managed %q", managed)
	}
	delete(got, "RoleId")
	delete(got, "Managed")
	if diff := cmp.Diff(map[string]string{
		"Bucket": "<Bucket>", "BucketArn": "arn:aws:s3:::<Bucket>", "BucketDomain": "<Bucket>.s3.us-east-1.amazonaws.com", "Policy": "<Bucket>",
		"GroupArn": "arn:aws:logs:us-east-1:123456789012:log-group:/aws/kinesisfirehose/demo:*", "Log": "Delivery",
		"StreamArn": "arn:aws:firehose:us-east-1:123456789012:deliverystream/<Stream>", "RoleArn": "arn:aws:iam::123456789012:role/<Role>", "Inline": "<Inline>",
		"AlarmArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:<Alarm>", "Board": "board", "KeyArn": "arn:aws:kms:us-east-1:123456789012:key/<Key>",
		"FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:<Function>",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Generated names fit, whatever the stack and the resource are called.
func TestNames(t *testing.T) {
	w := newWorld(t, local.Config{})
	for _, tt := range [][2]string{{"s", "Bucket"}, {"s" + strings.Repeat("s", 127), "Bucket"}, {"s", "B" + strings.Repeat("b", 200)}, {"S" + strings.Repeat("s", 60), "B" + strings.Repeat("b", 60)}} {
		group, role := "G"+tt[1], "R"+tt[1]
		w.create(tt[0], m{"Resources": m{tt[1]: resource("AWS::S3::Bucket", m{}), group: resource("AWS::Logs::LogGroup", m{}), role: resource("AWS::IAM::Role", m{"AssumeRolePolicyDocument": m{}})}})
		w.want(tt[0], types.StackStatusCreateComplete, "")
		bucket := w.physical(tt[0], tt[1])
		if len(bucket) > 63 || strings.ToLower(bucket) != bucket || len(w.physical(tt[0], role)) > 64 {
			t.Errorf("%d %s, %d %s", len(bucket), bucket, len(w.physical(tt[0], role)), w.physical(tt[0], role))
		}
		w.delete(tt[0])
		for range 1000 {
			if _, err := w.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &tt[0]}); err != nil {
				break
			}
			w.pause()
		}
	}
}

// The state and reset of /_hydrant/: stacks go, and what they have made but for streams
// stays.
func TestReset(t *testing.T) {
	w := newWorld(t, local.Config{State: t.TempDir()})
	w.create("s", pipeline())
	w.want("s", types.StackStatusCreateComplete, "")
	if err := w.backend.Reset(); err != nil {
		t.Fatal(err)
	}
	_, err := w.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("s")})
	check(t, "after the reset", err, "ValidationError: Stack with id s does not exist")
	if left := w.real(); len(left) != 3 {
		t.Errorf("left: %q", left)
	}
}
