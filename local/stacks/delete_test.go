package stacks_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local"
)

// A bucket with objects is not deleted, nor is what it belongs to; all else is. The
// deletion goes on when it is empty, or leaves it.
func TestDeleteNotEmpty(t *testing.T) {
	w := newWorld(t, local.Config{})
	for _, end := range []string{"emptied", "retained", "forced"} {
		id := w.create("s", pipeline())
		w.want("s", types.StackStatusCreateComplete, "")
		bucket := w.physical("s", "Bucket")
		w.put(bucket, "a/b")
		_, err := w.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s"), RetainResources: []string{"Bucket"}})
		check(t, "retain", err, "ValidationError: Invalid operation on stack ["+id+"]. Specify which resources to retain only when the stack is in the DELETE_FAILED state.")
		_, err = w.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s"), DeletionMode: types.DeletionModeForceDeleteStack})
		check(t, "force", err, "ValidationError: Invalid operation on stack ["+id+"]. You can activate DeletionMode FORCE_DELETE_STACK")
		for range 2 {
			w.delete("s")
			w.want("s", types.StackStatusDeleteFailed, "The following resource(s) failed to delete: [Bucket]. ")
			if diff := cmp.Diff([]string{"bucket " + bucket}, w.real()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		got := of(w.events("s"), "Bucket")
		if want := "DELETE_FAILED: The bucket you tried to delete is not empty (Service: Amazon S3; Status Code: 409; Error Code: BucketNotEmpty)"; got[len(got)-1] != want {
			t.Errorf("%q\nwant %s", got, want)
		}
		in := &cloudformation.DeleteStackInput{StackName: aws.String("s")}
		switch end {
		case "emptied":
			if err := os.Remove(filepath.Join(w.cfg.Dir, bucket, "a", "b")); err != nil {
				t.Fatal(err)
			}
		case "retained":
			for id, want := range map[string]string{
				"Nothing": "ValidationError: Resource Nothing does not exist for stack s",
				"Role":    "ValidationError: The specified resources to retain must be in a valid state. Do not specify resources that are in the DELETE_COMPLETE state.",
			} {
				_, err := w.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s"), RetainResources: []string{id}})
				check(t, "retain "+id, err, want)
			}
			in.RetainResources = []string{"Bucket"}
		case "forced":
			in.DeletionMode = types.DeletionModeForceDeleteStack
		}
		if _, err := w.DeleteStack(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		w.want(id, types.StackStatusDeleteComplete, "")
		if end != "emptied" {
			if got := of(w.events(id), "Bucket"); !strings.HasPrefix(got[len(got)-1], "DELETE_SKIPPED") {
				t.Errorf("%q", got)
			}
			if err := os.RemoveAll(filepath.Join(w.cfg.Dir, bucket)); err != nil {
				t.Fatal(err)
			}
		}
		w.wantNothing()
	}
}

// What somebody else has removed does not keep a stack from being deleted, nor what
// somebody else has put there.
func TestDeleteWhatIsGone(t *testing.T) {
	w := newWorld(t, local.Config{})
	gone := map[string]func(name string) error{
		"Bucket": func(name string) error { return os.RemoveAll(filepath.Join(w.cfg.Dir, name)) },
		"Stream": func(name string) error {
			_, err := w.streams.DeleteDeliveryStream(t.Context(), &firehose.DeleteDeliveryStreamInput{DeliveryStreamName: &name})
			return err
		},
		"Group": func(name string) error {
			_, err := w.logs.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: &name})
			return err
		},
		"Log": func(name string) error {
			_, err := w.logs.DeleteLogStream(t.Context(), &cloudwatchlogs.DeleteLogStreamInput{LogGroupName: aws.String("/aws/kinesisfirehose/s"), LogStreamName: &name})
			return err
		},
		"nothing": func(string) error { return nil },
	}
	for id := range gone {
		stack := w.create("s", pipeline())
		w.want("s", types.StackStatusCreateComplete, "")
		name := ""
		if id != "nothing" {
			name = w.physical("s", id)
		}
		if err := gone[id](name); err != nil {
			t.Fatal(err)
		}
		if id == "nothing" {
			if _, err := w.streams.TagDeliveryStream(t.Context(), &firehose.TagDeliveryStreamInput{
				DeliveryStreamName: aws.String(w.physical("s", "Stream")), Tags: nil,
			}); err == nil {
				t.Error("no tags are tags")
			}
			if _, err := w.logs.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("/aws/kinesisfirehose/s"), LogStreamName: aws.String("foreign")}); err != nil {
				t.Fatal(err)
			}
		}
		w.delete("s")
		w.want(stack, types.StackStatusDeleteComplete, "")
		w.wantNothing()
	}
	// All of it at once.
	stack := w.create("s", pipeline())
	w.want("s", types.StackStatusCreateComplete, "")
	names := map[string]string{}
	for id := range gone {
		if id != "nothing" {
			names[id] = w.physical("s", id)
		}
	}
	for _, id := range []string{"Bucket", "Stream", "Log", "Group"} {
		if err := gone[id](names[id]); err != nil {
			t.Fatal(err)
		}
	}
	w.delete("s")
	w.want(stack, types.StackStatusDeleteComplete, "")
}

// The policies say what is kept, when a stack or a resource goes, and when it is replaced.
func TestPolicies(t *testing.T) {
	w := newWorld(t, local.Config{})
	bucket := func(name string, policies ...string) m {
		r := resource("AWS::S3::Bucket", m{"BucketName": name})
		for i, policy := range policies {
			r[[]string{"DeletionPolicy", "UpdateReplacePolicy"}[i]] = policy
		}
		return r
	}
	bad := m{"Type": "AWS::S3::Bucket", "Properties": m{"BucketName": "-"}, "DependsOn": []string{"Deleted", "Kept", "Unless"}}
	three := func() m {
		return m{"Deleted": bucket("deleted", "Delete"), "Kept": bucket("kept", "Retain"), "Unless": bucket("unless", "RetainExceptOnCreate")}
	}
	left := func(what string, names ...string) {
		t.Helper()
		if diff := cmp.Diff(names, w.real()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		for _, name := range names {
			if err := os.RemoveAll(filepath.Join(w.cfg.Dir, strings.TrimPrefix(name, "bucket "))); err != nil {
				t.Fatal(err)
			}
		}
	}

	id := w.create("s", m{"Resources": three()})
	w.settled(id)
	w.delete("s")
	w.want(id, types.StackStatusDeleteComplete, "")
	if got := of(w.events(id), "Kept"); got[len(got)-1] != "DELETE_SKIPPED" {
		t.Errorf("%q", got)
	}
	left("deleted", "bucket kept", "bucket unless")

	failing := three()
	failing["Bad"] = bad
	for _, unless := range []bool{false, true} {
		id = w.create("s", m{"Resources": failing}, func(in *cloudformation.CreateStackInput) { in.RetainExceptOnCreate = &unless })
		w.want("s", types.StackStatusRollbackComplete, "")
		if unless {
			left("rolled back with RetainExceptOnCreate")
		} else {
			left("rolled back", "bucket kept")
		}
		w.delete("s")
		w.want(id, types.StackStatusDeleteComplete, "")
	}

	// Removed from the template, replaced, and made by an update that is rolled back.
	w.create("s", m{"Resources": three()})
	w.settled("s")
	w.update("s", m{"Resources": m{"Other": bucket("other")}})
	w.want("s", types.StackStatusUpdateComplete, "")
	left("removed", "bucket kept", "bucket other", "bucket unless")
	w.update("s", m{"Resources": m{"Other": bucket("first", "Delete", "Retain"), "Last": bucket("last", "Retain", "Delete")}})
	w.want("s", types.StackStatusUpdateComplete, "")
	w.update("s", m{"Resources": m{"Other": bucket("second"), "Last": bucket("newest")}})
	w.want("s", types.StackStatusUpdateComplete, "")
	left("replaced", "bucket first", "bucket newest", "bucket second")

	// As above, those of Other are gone by now: it does not matter.
	update := three()
	maps.Copy(update, m{"Other": bucket("second"), "Last": bucket("newest"), "Bad": bad})
	w.update("s", m{"Resources": update})
	w.want("s", types.StackStatusUpdateRollbackComplete, "")
	left("an update rolled back", "bucket kept")
}

// Termination protection keeps a stack from being deleted.
func TestTerminationProtection(t *testing.T) {
	w := newWorld(t, local.Config{})
	id := w.create("s", pipeline(), func(in *cloudformation.CreateStackInput) { in.EnableTerminationProtection = aws.Bool(true) })
	w.settled("s")
	protect := func(on bool) {
		if _, err := w.UpdateTerminationProtection(t.Context(), &cloudformation.UpdateTerminationProtectionInput{StackName: aws.String("s"), EnableTerminationProtection: &on}); err != nil {
			t.Fatal(err)
		}
	}
	for _, on := range []bool{true, true, false} {
		protect(on)
		_, err := w.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s")})
		if on {
			check(t, "protected", err, "ValidationError: Stack [s] cannot be deleted while TerminationProtection is enabled")
		} else {
			check(t, "not protected", err, "ok")
		}
	}
	w.want(id, types.StackStatusDeleteComplete, "")
	_, err := w.UpdateTerminationProtection(t.Context(), &cloudformation.UpdateTerminationProtectionInput{StackName: aws.String("s"), EnableTerminationProtection: aws.Bool(true)})
	check(t, "of none", err, "ValidationError: Stack [s] does not exist")
}

// Custom::EmptyBucket empties its bucket before that goes: when the stack is deleted, and
// when the bucket is replaced. Nothing is lost by an update that does neither.
func TestEmptyBucket(t *testing.T) {
	w := newWorld(t, local.Config{})
	template := func(name string) m {
		template := edited("Bucket", m{"BucketName": name})
		resources(template)["Empty"] = resource("Custom::EmptyBucket", m{"ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:f", "BucketName": ref("Bucket")})
		resources(template)["Stream"].(m)["DependsOn"] = "Empty"
		return template
	}
	fill := func(name string) {
		for _, key := range []string{"a", "b/c", "b/d/e"} {
			w.put(name, key)
		}
	}
	id := w.create("s", template("one"))
	w.want("s", types.StackStatusCreateComplete, "")
	fill("one")
	w.update("s", template("one"), func(in *cloudformation.UpdateStackInput) { in.Parameters = parameters("Days", "30") })
	w.want("s", types.StackStatusUpdateComplete, "")
	if _, err := os.Stat(filepath.Join(w.cfg.Dir, "one", "b", "d", "e")); err != nil {
		t.Error(err)
	}
	w.update("s", template("two"))
	w.want("s", types.StackStatusUpdateComplete, "")
	fill("two")
	if names := w.real(); slices.Contains(names, "bucket one") || !slices.Contains(names, "bucket two") {
		t.Errorf("%q", names)
	}
	w.delete("s")
	w.want(id, types.StackStatusDeleteComplete, "")
	w.wantNothing()
}

// What an update can't remove is the stack's no more.
func TestCleanUpFails(t *testing.T) {
	w := newWorld(t, local.Config{})
	id := w.create("s", m{"Resources": m{"A": resource("AWS::S3::Bucket", m{"BucketName": "one"})}})
	w.settled("s")
	w.put("one", "x")
	w.update("s", m{"Resources": m{"A": resource("AWS::S3::Bucket", m{"BucketName": "two"})}})
	w.want("s", types.StackStatusUpdateComplete, "Update successful. One or more resources could not be deleted.")
	if w.physical("s", "A") != "two" {
		t.Errorf("%q", w.physical("s", "A"))
	}
	w.delete("s")
	w.want(id, types.StackStatusDeleteComplete, "")
	if diff := cmp.Diff([]string{"bucket one"}, w.real()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
