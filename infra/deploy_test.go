package infra_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/infra"
)

// orders are the calls that change something.
func (c *cloud) orders() (list []string) {
	for _, call := range c.calls {
		if strings.HasSuffix(call, "Stack") {
			list = append(list, call)
		}
	}
	return list
}

// parameters are those of the last order, as NAME=VALUE, or NAME for the previous.
func (s *stack) parameters() (list []string) {
	for i := 1; ; i++ {
		at := fmt.Sprintf("Parameters.member.%d.", i)
		name := s.params.Get(at + "ParameterKey")
		if name == "" {
			return list
		}
		if s.params.Get(at+"UsePreviousValue") != "true" {
			name += "=" + s.params.Get(at+"ParameterValue")
		}
		list = append(list, name)
	}
}

var created = []string{"hydrant CREATE_IN_PROGRESS", "Bucket CREATE_COMPLETE", "Stream CREATE_COMPLETE", "hydrant CREATE_COMPLETE"}

func TestDeployCreates(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, l := newCloud(t), &told{}
		got, err := infra.Deploy(t.Context(), infra.DeployOptions{
			AWS: c.config(), Parameters: map[string]string{"BufferSizeMiB": "7", "Prefix": ""}, Tags: map[string]string{"b": "2", "a": "1"}, Callbacks: l.callbacks(),
		})
		want := &infra.Deployed{
			Stack: "hydrant", StackID: "arn:aws:cloudformation:eu-west-1:123456789012:stack/hydrant/0", Region: "eu-west-1", Account: "123456789012",
			Action: "created", Status: "CREATE_COMPLETE", Outputs: map[string]string{"StreamName": "hydrant-stream"},
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if diff := cmp.Diff(created, l.lines()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		s := c.stacks[0]
		if diff := cmp.Diff([]string{"BufferSizeMiB=7", "Prefix="}, s.parameters()); diff != "" {
			t.Errorf("parameters (-want +got):\n%s", diff)
		}
		if s.template != infra.Template() || s.params.Get("Capabilities.member.1") != "CAPABILITY_IAM" || s.params.Get("Tags.member.1.Key") != "a" || s.params.Get("Tags.member.2.Value") != "2" {
			t.Errorf("order %v", s.params)
		}
		if len(l.said) > 0 {
			t.Errorf("said %q", l.said)
		}
	})
}

func TestDeployUpdates(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, l := newCloud(t), &told{}
		o := infra.DeployOptions{AWS: c.config(), Stack: "s", Parameters: map[string]string{"BufferSizeMiB": "7", "Prefix": "p/"}}
		if _, err := infra.Deploy(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		o.Parameters, o.Callbacks = map[string]string{"Prefix": "q/", "LogRetentionDays": "7"}, l.callbacks()
		got, err := infra.Deploy(t.Context(), o)
		if err != nil || got.Action != "updated" || got.Status != "UPDATE_COMPLETE" || got.Outputs["StreamName"] != "hydrant-stream" {
			t.Errorf("%+v, %v", got, err)
		}
		// What is not given keeps its value; what the stack has never had is left to the
		// template.
		if diff := cmp.Diff([]string{"BufferSizeMiB", "LogRetentionDays=7", "Prefix=q/"}, c.stacks[0].parameters()); diff != "" {
			t.Errorf("parameters (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"s UPDATE_IN_PROGRESS", "Stream UPDATE_COMPLETE", "s UPDATE_COMPLETE"}, l.lines()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if s := c.stacks[0]; s.params.Has("Tags") || s.params.Has("Tags.member.1.Key") {
			t.Errorf("tags are sent: %v", s.params)
		}
	})
}

func TestDeployUnchanged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, l := newCloud(t), &told{}
		c.has("hydrant", output("StreamName", "x"), state("CREATE_COMPLETE"))
		c.answer = func(action string, _ url.Values) string {
			if action == "UpdateStack" {
				return refusal("ValidationError", "No updates are to be performed.")
			}
			return ""
		}
		got, err := infra.Deploy(t.Context(), infra.DeployOptions{AWS: c.config(), Callbacks: l.callbacks()})
		if err != nil || got.Action != "unchanged" || got.Status != "CREATE_COMPLETE" || got.Outputs["StreamName"] != "x" || len(l.events)+len(l.said) > 0 {
			t.Errorf("%+v, %v, told %+v", got, err, l)
		}
	})
}

// A stack that could not be made is removed, and made anew.
func TestDeployRemovesLeftovers(t *testing.T) {
	for _, status := range []string{"ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"} {
		bubble(t, func(t *testing.T) {
			c, l := newCloud(t), &told{}
			c.has("hydrant", state(status))
			c.remove = [][]step{{ending}}
			got, err := infra.Deploy(t.Context(), infra.DeployOptions{AWS: c.config(), Callbacks: l.callbacks()})
			if err != nil || got.Action != "created" || got.Status != "CREATE_COMPLETE" {
				t.Errorf("%s: %+v, %v", status, got, err)
			}
			if want := []string{"DeleteStack", "CreateStack"}; !slices.Equal(c.orders(), want) {
				t.Errorf("%s: %q, want %q", status, c.orders(), want)
			}
			if want := append([]string{"hydrant DELETE_IN_PROGRESS", "hydrant DELETE_COMPLETE"}, created...); !slices.Equal(l.lines(), want) {
				t.Errorf("%s: events %q", status, l.lines())
			}
			if len(l.said) != 1 || !strings.Contains(l.said[0], status) || !strings.Contains(l.said[0], "removing it") {
				t.Errorf("%s: said %q", status, l.said)
			}
		})
	}
}

// The first failure is the cause, and not what was cancelled because of it, or the
// rollback.
func TestDeployFails(t *testing.T) {
	cancelled := because("Role", "AWS::IAM::Role", "", "CREATE_FAILED", "Resource creation cancelled")
	exists := because("Bucket", bucketType, "taken", "CREATE_FAILED", "taken already exists")
	denied := because("Role", "AWS::IAM::Role", "", "CREATE_FAILED", "User: arn:aws:iam::1:user/u is not authorized to perform: iam:CreateRole on resource: x")
	for _, tc := range []struct {
		name     string
		create   []step
		update   []step // if the stack is there
		text     string
		hint     string
		failures int
	}{
		{
			"exists",
			[]step{cancelled, exists, state("ROLLBACK_IN_PROGRESS"), state("ROLLBACK_COMPLETE")},
			nil,
			"stack hydrant is ROLLBACK_COMPLETE: AWS::S3::Bucket Bucket: taken already exists", "the same command tries again", 1,
		},
		{
			"two",
			[]step{denied, exists, cancelled, state("ROLLBACK_IN_PROGRESS"), state("ROLLBACK_COMPLETE")},
			nil,
			"stack hydrant is ROLLBACK_COMPLETE: AWS::IAM::Role Role: User: arn:aws:iam::1:user/u is not authorized to perform: iam:CreateRole on resource: x (and 1 more failures)", "allow iam:CreateRole", 2,
		},
		{
			"no resource",
			[]step{func(c *cloud, s *stack) { s.reason = "Rollback requested by user." }, state("ROLLBACK_COMPLETE")},
			nil,
			"stack hydrant is ROLLBACK_COMPLETE: Rollback requested by user.", "the same command tries again", 0,
		},
		{
			"update", nil,
			[]step{because("Stream", streamType, "x", "UPDATE_FAILED", "no"), state("UPDATE_ROLLBACK_IN_PROGRESS"), state("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"), state("UPDATE_ROLLBACK_COMPLETE")},
			"stack hydrant is UPDATE_ROLLBACK_COMPLETE: AWS::KinesisFirehose::DeliveryStream Stream: no", "the stack is as it was before", 1,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newCloud(t)
				c.create, c.update = [][]step{tc.create}, [][]step{tc.update}
				if tc.update != nil {
					// What failed in an earlier operation is none of this one's.
					c.has("hydrant", exists, state("UPDATE_ROLLBACK_COMPLETE"))
				}
				_, err := infra.Deploy(t.Context(), infra.DeployOptions{AWS: c.config()})
				failed, ok := errors.AsType[*infra.FailedError](err)
				if !ok || len(failed.Failures) != tc.failures {
					t.Fatalf("%v: %+v", err, failed)
				}
				text, hint, _ := strings.Cut(admin.Explain(err).Error(), "\nhint: ")
				if text != tc.text || !strings.Contains(hint, tc.hint) {
					t.Errorf("%q, hint %q\nwant %q, %q", text, hint, tc.text, tc.hint)
				}
			})
		})
	}
}

// States that only a person can get a stack out of: nothing is done, and what to do is
// said.
func TestDeployRefuses(t *testing.T) {
	for status, hint := range map[string]string{
		"UPDATE_ROLLBACK_FAILED": "continue-update-rollback --stack-name hydrant",
		"IMPORT_ROLLBACK_FAILED": "continue-update-rollback",
		"ROLLBACK_FAILED":        "hydrant destroy --stack hydrant",
		"DELETE_FAILED":          "hydrant destroy --stack hydrant",
	} {
		c := newCloud(t)
		c.has("hydrant", state(status))
		_, err := infra.Deploy(t.Context(), infra.DeployOptions{AWS: c.config()})
		if err == nil || !strings.Contains(err.Error(), status) || !strings.Contains(err.Error(), "\nhint: ") || !strings.Contains(err.Error(), hint) || len(c.orders()) > 0 {
			t.Errorf("%s: %v after %q", status, err, c.orders())
		}
	}
}

// An interrupted Deploy goes on: the operation under way is joined from its beginning,
// and counts as this one's.
func TestDeployAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newCloud(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		first := &told{}
		callbacks := first.callbacks()
		callbacks.Event = func(e infra.Event) {
			if e.LogicalID == "Bucket" {
				cancel()
			}
			first.events = append(first.events, e)
		}
		if _, err := infra.Deploy(ctx, infra.DeployOptions{AWS: c.config(), Callbacks: callbacks}); !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted: %v", err)
		}
		c.answer = func(action string, _ url.Values) string {
			if action == "UpdateStack" && c.stacks[0].status == "CREATE_COMPLETE" {
				return refusal("ValidationError", "No updates are to be performed.")
			}
			return ""
		}
		l := &told{}
		got, err := infra.Deploy(t.Context(), infra.DeployOptions{AWS: c.config(), Callbacks: l.callbacks()})
		if err != nil || got.Action != "created" || got.Status != "CREATE_COMPLETE" || got.Outputs["StreamName"] != "hydrant-stream" {
			t.Errorf("%+v, %v", got, err)
		}
		if !slices.Equal(l.lines(), created) || len(l.said) != 1 || !strings.Contains(l.said[0], "CREATE_IN_PROGRESS: waiting") {
			t.Errorf("events %q, said %q", l.lines(), l.said)
		}
	})
}

// What is joined and fails is this one's failure, with a cause from before it joined.
func TestDeployJoinsFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, l := newCloud(t), &told{}
		s := c.has("hydrant", because("Old", bucketType, "", "UPDATE_FAILED", "long ago"), state("UPDATE_ROLLBACK_COMPLETE"), state("UPDATE_IN_PROGRESS"),
			because("Bucket", bucketType, "", "UPDATE_FAILED", "the cause"), because("A", "x", "", "UPDATE_FAILED", "Resource update cancelled"),
			state("UPDATE_ROLLBACK_IN_PROGRESS"))
		s.script = []step{resource("Bucket", bucketType, "", "UPDATE_COMPLETE"), state("UPDATE_ROLLBACK_COMPLETE")}
		_, err := infra.Deploy(t.Context(), infra.DeployOptions{AWS: c.config(), Callbacks: l.callbacks()})
		if err == nil || !strings.Contains(err.Error(), "AWS::S3::Bucket Bucket: the cause\n") || len(c.orders()) > 0 {
			t.Errorf("%v after %q", err, c.orders())
		}
		want := []string{"hydrant UPDATE_IN_PROGRESS", "Bucket UPDATE_FAILED", "A UPDATE_FAILED", "hydrant UPDATE_ROLLBACK_IN_PROGRESS", "Bucket UPDATE_COMPLETE", "hydrant UPDATE_ROLLBACK_COMPLETE"}
		if diff := cmp.Diff(want, l.lines()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// A deletion under way is waited for, and the stack made anew; one that fails is not.
func TestDeployJoinsDeletion(t *testing.T) {
	for _, fails := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			c := newCloud(t)
			s := c.has("hydrant", state("DELETE_IN_PROGRESS"))
			s.script = []step{ending}
			if fails {
				s.script = []step{because("Bucket", bucketType, "b", "DELETE_FAILED", "not empty"), ending}
			}
			got, err := infra.Deploy(t.Context(), infra.DeployOptions{AWS: c.config()})
			if !fails && (err != nil || got.Action != "created") {
				t.Errorf("%+v, %v", got, err)
			}
			if fails && (err == nil || !strings.Contains(err.Error(), "Bucket: not empty\nhint: hydrant destroy --stack hydrant")) {
				t.Errorf("%v", err)
			}
		})
	}
}

// Somebody else is quicker, with creating and with updating.
func TestDeployRaces(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, l := newCloud(t), &told{}
		c.answer = func(action string, _ url.Values) string {
			switch {
			case action == "CreateStack" && len(c.stacks) == 0:
				s := c.has("hydrant", state("CREATE_IN_PROGRESS"))
				s.script = c.create[0]
			case action == "UpdateStack" && c.stacks[0].status == "CREATE_COMPLETE":
				state("UPDATE_IN_PROGRESS")(c, c.stacks[0])
				c.stacks[0].script = []step{func(*cloud, *stack) {}, state("UPDATE_COMPLETE")}
			}
			return ""
		}
		got, err := infra.Deploy(t.Context(), infra.DeployOptions{AWS: c.config(), Callbacks: l.callbacks()})
		if err != nil || got.Action != "updated" || len(l.said) != 2 {
			t.Errorf("%+v, %v, said %q", got, err, l.said)
		}
		if want := []string{"CreateStack", "UpdateStack", "UpdateStack"}; !slices.Equal(c.orders(), want) {
			t.Errorf("%q, want %q", c.orders(), want)
		}
		// And always so.
		c.answer = func(action string, _ url.Values) string {
			if action == "UpdateStack" {
				return refusal("ValidationError", "Stack:x is in UPDATE_IN_PROGRESS state and can not be updated.")
			}
			return ""
		}
		if _, err := infra.Deploy(t.Context(), infra.DeployOptions{AWS: c.config()}); err == nil || !strings.Contains(err.Error(), "somebody else") {
			t.Errorf("always in the way: %v", err)
		}
	})
}

func TestDeployNoWait(t *testing.T) {
	c := newCloud(t)
	c.create = [][]step{{resource("Bucket", bucketType, "b", "CREATE_IN_PROGRESS"), resource("Bucket", bucketType, "b", "CREATE_COMPLETE"), state("CREATE_COMPLETE")}}
	o := infra.DeployOptions{AWS: c.config(), NoWait: true}
	got, err := infra.Deploy(t.Context(), o)
	if err != nil || got.Action != "created" || got.Status != "CREATE_IN_PROGRESS" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := infra.Deploy(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is CREATE_IN_PROGRESS\nhint: without --no-wait") {
		t.Errorf("once more: %v", err)
	}
}

func TestDeployChecksFirst(t *testing.T) {
	for _, tc := range []struct {
		o    infra.DeployOptions
		want string
	}{
		{infra.DeployOptions{Stack: "9s"}, `begins with a letter`},
		{infra.DeployOptions{Parameters: map[string]string{"BufferSizeMiB": "129", "Nope": "x"}}, `parameter BufferSizeMiB is "129", it must be a number from 1 to 128` + "\n" + `the template has no parameter Nope, but AlarmTopicArn, Buffer`},
		{infra.DeployOptions{Template: `{"Resources":{"A":{"Type":"` + strings.Repeat("x", 51_200) + `"}}}`}, "CloudFormation takes 51200 with a call"},
		{infra.DeployOptions{Template: "{}"}, "it has no Resources"},
	} {
		c := newCloud(t)
		tc.o.AWS = c.config()
		if _, err := infra.Deploy(t.Context(), tc.o); err == nil || !strings.Contains(err.Error(), tc.want) || len(c.calls) > 0 {
			t.Errorf("%v after %q, want %q", err, c.calls, tc.want)
		}
	}
}

// Looks at a long operation get rarer, and what throttles them is waited for.
func TestDeployIsPatient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, l := newCloud(t), &told{}
		var script []step
		for i := range 40 {
			script = append(script, func(*cloud, *stack) {})
			if i == 20 {
				script = append(script, resource("Bucket", bucketType, "b", "CREATE_COMPLETE"))
			}
		}
		c.create = [][]step{append(script, state("CREATE_COMPLETE"))}
		throttled := 0
		var at []time.Time
		c.answer = func(action string, _ url.Values) string {
			if action == "DescribeStacks" {
				at = append(at, time.Now())
			}
			if strings.HasPrefix(action, "DescribeStack") && len(c.calls) > 1 && len(c.calls)%7 != 0 && throttled < 30 { // the first look is not patient

				throttled++
				return refusal("Throttling", "Rate exceeded")
			}
			return ""
		}
		if _, err := infra.Deploy(t.Context(), infra.DeployOptions{AWS: c.config(), Callbacks: l.callbacks()}); err != nil {
			t.Fatal(err)
		}
		if want := []string{"hydrant CREATE_IN_PROGRESS", "Bucket CREATE_COMPLETE", "hydrant CREATE_COMPLETE"}; !slices.Equal(l.lines(), want) || throttled != 30 {
			t.Errorf("events %q, throttled %d times", l.lines(), throttled)
		}
		last := at[len(at)-2:]
		if gap := last[1].Sub(last[0]); gap < 2*time.Second || gap > 4*time.Second {
			t.Errorf("the last looks are %v apart", gap)
		}
	})
}
