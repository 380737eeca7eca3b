package stacks_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local"
)

func (w *world) changeSet(stack, name string, kind types.ChangeSetType, template m, edit ...func(*cloudformation.CreateChangeSetInput)) (*cloudformation.CreateChangeSetOutput, error) {
	in := &cloudformation.CreateChangeSetInput{StackName: &stack, ChangeSetName: &name, ChangeSetType: kind, TemplateBody: body(template), Capabilities: iam}
	for _, f := range edit {
		f(in)
	}
	return w.CreateChangeSet(w.t.Context(), in)
}

func (w *world) execute(stack, set string) error {
	_, err := w.ExecuteChangeSet(w.t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: &stack, ChangeSetName: &set})
	return err
}

// changes are a set's, as text.
func changes(out *cloudformation.DescribeChangeSetOutput) (lines []string) {
	for _, c := range out.Changes {
		r := c.ResourceChange
		line := string(r.Action) + " " + *r.LogicalResourceId
		if r.Replacement != "" {
			line += " replacement " + string(r.Replacement)
		}
		for _, d := range r.Details {
			line += fmt.Sprintf(" %s.%s:%s", d.Target.Attribute, aws.ToString(d.Target.Name), d.Target.RequiresRecreation)
		}
		lines = append(lines, line)
	}
	return lines
}

// A change set makes a stack, updates it, and tells before what it would do.
func TestChangeSets(t *testing.T) {
	w := newWorld(t, local.Config{})
	ctx := t.Context()
	describe := func(set string) *cloudformation.DescribeChangeSetOutput {
		t.Helper()
		out, err := w.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{StackName: aws.String("s"), ChangeSetName: &set})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	_, err := w.changeSet("s", "c", types.ChangeSetTypeUpdate, pipeline())
	check(t, "an update of nothing", err, "ValidationError: Stack [s] does not exist")
	made, err := w.changeSet("s", "c", types.ChangeSetTypeCreate, pipeline(), func(in *cloudformation.CreateChangeSetInput) {
		in.Description, in.IncludeNestedStacks = aws.String("a set"), aws.Bool(true)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := cloudformation.NewChangeSetCreateCompleteWaiter(w).Wait(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: made.Id}, time.Minute); err != nil {
		t.Fatal(err)
	}
	w.want("s", types.StackStatusReviewInProgress, "User Initiated")
	w.wantNothing()
	out := describe("c")
	if *out.ChangeSetId != *made.Id || *out.StackId != *made.StackId || *out.Description != "a set" || !*out.IncludeNestedStacks || out.ExecutionStatus != "AVAILABLE" || len(out.Parameters) != 3 {
		t.Errorf("%+v", out)
	}
	if got := changes(out); len(got) != 5 || !strings.HasPrefix(got[0], "Add ") {
		t.Errorf("%q", got)
	}
	_, err = w.changeSet("s", "c", types.ChangeSetTypeCreate, pipeline())
	check(t, "again", err, "AlreadyExistsException: ChangeSet "+*made.Id+" already exists")
	_, err = w.changeSet("s", "other", types.ChangeSetTypeCreate, pipeline())
	check(t, "another", err, "ok")
	check(t, "execute", w.execute("s", "c"), "ok")
	w.want("s", types.StackStatusCreateComplete, "")
	if got := of(w.events("s"), "stack"); !cmp.Equal(got, []string{"REVIEW_IN_PROGRESS: User Initiated", "CREATE_IN_PROGRESS: User Initiated", "CREATE_COMPLETE"}) {
		t.Errorf("%q", got)
	}
	if st := w.describe("s"); aws.ToString(st.ChangeSetId) != *made.Id || st.LastUpdatedTime == nil {
		t.Errorf("%+v", st)
	}
	check(t, "execute again", w.execute("s", "c"), "ChangeSetNotFound: ChangeSet [c] does not exist")
	check(t, "execute again by its id", w.execute("s", *made.Id), "InvalidChangeSetStatus: ChangeSet ["+*made.Id+"] cannot be executed in its current execution status of [EXECUTE_COMPLETE]")
	check(t, "the other is gone", w.execute("s", "other"), "ChangeSetNotFound: ChangeSet [other] does not exist")
	_, err = w.changeSet("s", "c", types.ChangeSetTypeCreate, pipeline())
	check(t, "create what is there", err, "ValidationError: Stack [s] already exists and cannot be created again with the changeSet [c].")

	_, err = w.changeSet("s", "same", types.ChangeSetTypeUpdate, pipeline())
	check(t, "no change", err, "ok")
	out = describe("same")
	if out.Status != "FAILED" || out.ExecutionStatus != "UNAVAILABLE" || *out.StatusReason != "The submitted information didn't contain changes. Submit different information to create a change set." {
		t.Errorf("%+v", out)
	}
	check(t, "execute it", w.execute("s", "same"), "InvalidChangeSetStatus: ChangeSet ["+*out.ChangeSetId+"] cannot be executed in its current status of [FAILED]")

	template := edited("Bucket", m{"BucketName": "another"})
	resources(template)["Group"].(m)["DeletionPolicy"] = "Retain"
	delete(resources(template), "Log")
	resources(template)["Stream"].(m)["Properties"].(m)["ExtendedS3DestinationConfiguration"].(m)["CloudWatchLoggingOptions"] = m{"Enabled": false}
	resources(template)["More"] = resource("AWS::KMS::Key", m{})
	_, err = w.changeSet("s", "c", types.ChangeSetTypeUpdate, template)
	check(t, "changes", err, "ok")
	out = describe("c")
	if diff := cmp.Diff(map[string]bool{
		"Modify Bucket replacement True Properties.BucketName:Always":                         true,
		"Modify Group replacement False DeletionPolicy.:Never":                                true,
		"Modify Stream replacement False Properties.ExtendedS3DestinationConfiguration:Never": true,
		"Add More":   true,
		"Remove Log": true,
	}, set(changes(out))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	stream, group := w.physical("s", "Stream"), w.physical("s", "Group")
	check(t, "execute", w.execute("s", "c"), "ok")
	w.want("s", types.StackStatusUpdateComplete, "")
	if diff := cmp.Diff([]string{"bucket another", "group " + group, "stream " + stream}, w.real()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	for range 2 {
		_, err = w.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{StackName: aws.String("s"), ChangeSetName: aws.String("c")})
		check(t, "delete", err, "ok")
	}
	_, err = w.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{StackName: aws.String("none"), ChangeSetName: aws.String("c")})
	check(t, "delete one of no stack", err, "ValidationError: Stack [none] does not exist")
	_, err = w.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{ChangeSetName: aws.String("c")})
	check(t, "delete by name alone", err, "ValidationError: StackName must be specified if ChangeSetName is not specified as an ARN.")
	_, err = w.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{StackName: aws.String("none"), ChangeSetName: aws.String("c")})
	check(t, "describe one of no stack", err, "ValidationError: Stack [none] does not exist")

	// A stack in review goes as any other.
	review, err := w.changeSet("review", "c", types.ChangeSetTypeCreate, pipeline())
	if err != nil {
		t.Fatal(err)
	}
	w.delete("review")
	w.want(*review.StackId, types.StackStatusDeleteComplete, "")
}

func set(lines []string) map[string]bool {
	s := map[string]bool{}
	for _, line := range lines {
		s[line] = true
	}
	return s
}

// A set that fails does what it was told to.
func TestChangeSetFails(t *testing.T) {
	w := newWorld(t, local.Config{})
	bad := edited("Stream", m{"Nonsense": 1})
	for on, want := range map[types.OnStackFailure]types.StackStatus{
		"": types.StackStatusRollbackComplete, types.OnStackFailureRollback: types.StackStatusRollbackComplete,
		types.OnStackFailureDoNothing: types.StackStatusCreateFailed, types.OnStackFailureDelete: types.StackStatusDeleteComplete,
	} {
		out, err := w.changeSet("s", "c", types.ChangeSetTypeCreate, bad, func(in *cloudformation.CreateChangeSetInput) { in.OnStackFailure = on })
		if err != nil {
			t.Fatal(err)
		}
		check(t, "execute", w.execute("s", "c"), "ok")
		if st := w.settled(*out.StackId); st.StackStatus != want {
			t.Errorf("%s: %s", on, st.StackStatus)
		}
		w.delete("s")
		w.want(*out.StackId, types.StackStatusDeleteComplete, "")
		w.wantNothing()
	}
}

// The pages of all lists, across their edges, give everything once.
func TestPages(t *testing.T) {
	w := newWorld(t, local.Config{})
	ctx := t.Context()
	many := func(n int) m {
		all := m{}
		for i := range n {
			all[fmt.Sprintf("R%03d", i)] = resource("AWS::CDK::Metadata", m{})
		}
		return m{"Resources": all}
	}
	for _, n := range []int{1, 99, 100, 101, 250} {
		name := fmt.Sprintf("s%d", n)
		if _, err := w.changeSet(name, "c", types.ChangeSetTypeCreate, many(n)); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for token := (*string)(nil); ; {
			out, err := w.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{StackName: &name, ChangeSetName: aws.String("c"), NextToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range out.Changes {
				seen[*c.ResourceChange.LogicalResourceId] = true
			}
			if token = out.NextToken; token == nil {
				break
			}
		}
		check(t, "execute", w.execute(name, "c"), "ok")
		w.want(name, types.StackStatusCreateComplete, "")
		listed := map[string]bool{}
		for p := cloudformation.NewListStackResourcesPaginator(w, &cloudformation.ListStackResourcesInput{StackName: &name}); p.HasMorePages(); {
			out, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range out.StackResourceSummaries {
				if listed[*r.LogicalResourceId] {
					t.Errorf("%s is there twice", *r.LogicalResourceId)
				}
				listed[*r.LogicalResourceId] = true
			}
		}
		if len(seen) != n || len(listed) != n || len(w.events(name)) != 3*n+3 {
			t.Errorf("of %d resources: %d changes, %d listed, %d events", n, len(seen), len(listed), len(w.events(name)))
		}
	}
	_, err := w.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: aws.String("s1"), NextToken: aws.String("nonsense")})
	check(t, "a bad token", err, "ValidationError: The specified NextToken is not one that this call was answered with.")
}
