package stacks_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/local"
)

// edited is the pipeline with the properties of one of its resources changed.
func edited(id string, properties m) m {
	template := pipeline()
	maps.Copy(resources(template)[id].(m)["Properties"].(m), properties)
	return template
}

// destination is the pipeline with something else in its destination.
func destination(members m) m {
	template := pipeline()
	maps.Copy(resources(template)["Stream"].(m)["Properties"].(m)["ExtendedS3DestinationConfiguration"].(m), members)
	return template
}

// with is the pipeline with one more resource.
func with(id string, r m) m {
	template := pipeline()
	resources(template)[id] = r
	return template
}

// failures are templates with a resource that fails, whatever is there, and why.
var failures = []struct {
	what     string
	template func() m
	failed   string // "" is the stack itself
	reason   string
}{
	{"a bucket that is there", func() m { return edited("Bucket", m{"BucketName": "taken"}) }, "Bucket", "Resource of type 'AWS::S3::Bucket' with identifier 'taken' already exists."},
	{"a bucket's bad name", func() m { return edited("Bucket", m{"BucketName": "No"}) }, "Bucket", `Bucket name should be between 3 and 63 characters long`},
	{"a group that is there", func() m { return edited("Group", m{"LogGroupName": "taken"}) }, "Group", "Resource of type 'AWS::Logs::LogGroup' with identifier 'taken' already exists."},
	{
		"a retention that is none",
		func() m { return edited("Group", m{"RetentionInDays": 2}) },
		"Group", "1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [1, 3,",
	},
	{
		"a retention that is no number",
		func() m { return edited("Group", m{"RetentionInDays": "x"}) },
		"Group", "Properties validation failed for resource Group with message: [#/RetentionInDays: expected type: Number, found: String]",
	},
	{"a log of no group", func() m { return edited("Log", m{"LogGroupName": "none"}) }, "Log", "The specified log group does not exist. (Service: CloudWatchLogs; Status Code: 400; Error Code: ResourceNotFoundException)"},
	{"a stream that is there", func() m { return edited("Stream", m{"DeliveryStreamName": "taken"}) }, "Stream", "Resource of type 'AWS::KinesisFirehose::DeliveryStream' with identifier 'taken' already exists."},
	{
		"a stream's bad prefix",
		func() m { return destination(m{"Prefix": "!{nonsense:x}"}) },
		"Stream", "The supplied prefix(es) do not satisfy the following constraint: Namespace to the left of colon (nonsense) is an invalid keyword!",
	},
	{
		"a stream's bad interval",
		func() m { return destination(m{"BufferingHints": m{"SizeInMBs": "5", "IntervalInSeconds": "901"}}) },
		"Stream", "1 validation error detected: Value '901' at 'extendedS3DestinationConfiguration.bufferingHints.intervalInSeconds' failed to satisfy constraint",
	},
	{
		"a member that the API has not",
		func() m { return destination(m{"Nonsense": 1}) },
		"Stream", "The local Firehose does not support ExtendedS3DestinationConfiguration.Nonsense. (Service: Firehose; Status Code: 400; Error Code: InvalidArgumentException)",
	},
	{
		"a property that the type has not",
		func() m { return edited("Bucket", m{"Nonsense": 1}) },
		"Bucket", "Properties validation failed for resource Bucket with message: [#: extraneous key [Nonsense] is not permitted]",
	},
	{
		"a property that is missing",
		func() m { return with("More", resource("AWS::IAM::ManagedPolicy", m{})) },
		"More", "Properties validation failed for resource More with message: [#: required key [PolicyDocument] not found]",
	},
	{
		"an attribute that the type has not",
		func() m { return edited("Log", m{"LogStreamName": attr("Bucket", "Nonsense")}) },
		"", "Resource type AWS::S3::Bucket does not support attribute {Nonsense}",
	},
}

// newTaken has what the failures find there.
func newTaken(t *testing.T, cfg local.Config) *world {
	w := newWorld(t, cfg)
	w.create("taken", m{"Resources": m{
		"Bucket": resource("AWS::S3::Bucket", m{"BucketName": "taken"}),
		"Group":  resource("AWS::Logs::LogGroup", m{"LogGroupName": "taken"}),
		"Stream": resource("AWS::KinesisFirehose::DeliveryStream", m{"DeliveryStreamName": "taken", "S3DestinationConfiguration": m{
			"BucketARN": "arn:aws:s3:::taken", "RoleARN": "arn:aws:iam::123456789012:role/r",
		}}),
	}})
	w.want("taken", types.StackStatusCreateComplete, "")
	return w
}

// wantFailed finds the resource's failure in the events, and what the stack says of it.
func (w *world) wantFailed(name, failed, status, reason string) {
	w.t.Helper()
	if failed == "" {
		return
	}
	if !slices.ContainsFunc(of(w.events(name), failed), func(e string) bool {
		return strings.HasPrefix(e, status) && strings.Contains(e, reason)
	}) {
		w.t.Errorf("no %s of %s: %s\nbut\n%s", status, failed, reason, strings.Join(w.events(name), "\n"))
	}
}

// A creation that fails leaves nothing, and takes nothing of others.
func TestCreateFails(t *testing.T) {
	w := newTaken(t, local.Config{})
	before := w.real()
	for _, tt := range failures {
		t.Run(tt.what, func(t *testing.T) {
			w := *w
			w.t = t
			id := w.create("s", tt.template())
			st := w.settled("s")
			if st.StackStatus != types.StackStatusRollbackComplete {
				t.Errorf("%s", st.StackStatus)
			}
			w.wantFailed("s", tt.failed, "CREATE_FAILED", tt.reason)
			told := of(w.events("s"), "stack")
			want := "ROLLBACK_IN_PROGRESS: " + tt.reason + ". Rollback requested by user."
			if tt.failed != "" {
				want = "ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: ["
			}
			if len(told) != 3 || !strings.HasPrefix(told[1], want) || !strings.HasSuffix(told[1], "Rollback requested by user.") || !strings.Contains(told[1], tt.failed) {
				t.Errorf("the stack tells %q\nwant %s", told, want)
			}
			if diff := cmp.Diff(before, w.real()); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
			if st.Outputs != nil {
				t.Errorf("outputs: %v", st.Outputs)
			}
			_, err := w.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: body(pipeline()), Capabilities: iam})
			check(t, "again", err, "AlreadyExistsException: Stack [s] already exists")
			_, err = w.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("s"), TemplateBody: body(pipeline()), Capabilities: iam})
			check(t, "update", err, "ValidationError: Stack:"+id+" is in ROLLBACK_COMPLETE state and can not be updated.")
			w.delete("s")
			w.want(id, types.StackStatusDeleteComplete, "")
		})
	}
}

// An update that fails leaves everything as it was.
func TestUpdateFails(t *testing.T) {
	w := newTaken(t, local.Config{})
	for _, tt := range failures {
		if tt.failed == "" {
			continue // is found when UpdateStack is called
		}
		t.Run(tt.what, func(t *testing.T) {
			w := *w
			w.t = t
			id := w.create("s", pipeline())
			w.want("s", types.StackStatusCreateComplete, "")
			before, outputs, stream := w.real(), w.describe("s").Outputs, w.physical("s", "Stream")
			template := tt.template()
			// The failure comes after all else has changed.
			resources(template)["Extra"] = resource("AWS::Logs::LogGroup", m{})
			var rest []string
			for other := range resources(template) {
				if other != tt.failed && !needs(other, tt.failed) {
					rest = append(rest, other)
				}
			}
			resources(template)[tt.failed].(m)["DependsOn"] = rest
			w.update("s", template, func(in *cloudformation.UpdateStackInput) {
				in.Parameters = parameters("Prefix", "changed/", "Days", "90")
			})
			st := w.settled("s")
			if st.StackStatus != types.StackStatusUpdateRollbackComplete {
				t.Errorf("%s\n%s", st.StackStatus, strings.Join(w.events("s"), "\n"))
			}
			if diff := cmp.Diff(before, w.real()); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
			if w.physical("s", "Stream") != stream || len(st.Outputs) != len(outputs) || len(st.Parameters) != 3 {
				t.Errorf("the stack has become %+v", st)
			}
			w.wantStream(stream, 5, "", "own=1")
			w.wantRetention("/aws/kinesisfirehose/s", 14)
			for _, p := range st.Parameters {
				if *p.ParameterKey == "Days" && *p.ParameterValue != "14" {
					t.Errorf("Days is %s", *p.ParameterValue)
				}
			}
			w.delete("s")
			w.want(id, types.StackStatusDeleteComplete, "")
		})
	}
}

// needs tells whether a resource of the pipeline needs another.
func needs(id, other string) bool {
	return map[string]bool{"Log Group": true, "Stream Group": true, "Stream Log": true, "Stream Bucket": true, "Stream Role": true}[id+" "+other]
}

// What a failed creation leads to is the caller's to say.
func TestOnFailure(t *testing.T) {
	w := newWorld(t, local.Config{})
	bad := func() m {
		return edited("Stream", m{"Nonsense": 1})
	}
	const failed = "The following resource(s) failed to create: [Stream]. "
	id := w.create("delete", bad(), func(in *cloudformation.CreateStackInput) { in.OnFailure = types.OnFailureDelete })
	w.want(id, types.StackStatusDeleteComplete, "")
	if told := of(w.events(id), "stack"); told[1] != "DELETE_IN_PROGRESS: "+failed+"Delete requested by user." {
		t.Errorf("%q", told)
	}
	w.wantNothing()

	nothing := w.create("nothing", bad(), func(in *cloudformation.CreateStackInput) { in.OnFailure = types.OnFailureDoNothing })
	w.want("nothing", types.StackStatusCreateFailed, failed)
	if n := len(w.real()); n != 3 {
		t.Errorf("left: %q", w.real())
	}
	_, err := w.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("nothing"), TemplateBody: body(pipeline()), Capabilities: iam})
	check(t, "update", err, "ValidationError: Stack:"+nothing+" is in CREATE_FAILED state and can not be updated.")
	w.delete("nothing")
	w.want(nothing, types.StackStatusDeleteComplete, "")
	w.wantNothing()

	// --disable-rollback: the stack can be mended.
	mended := w.create("mended", bad(), func(in *cloudformation.CreateStackInput) { in.DisableRollback = aws.Bool(true) })
	w.want("mended", types.StackStatusCreateFailed, failed)
	bucket := w.physical("mended", "Bucket")
	w.update("mended", bad(), func(in *cloudformation.UpdateStackInput) { in.DisableRollback = aws.Bool(true) })
	w.want("mended", types.StackStatusUpdateFailed, failed)
	w.update("mended", pipeline())
	w.want("mended", types.StackStatusUpdateComplete, "")
	if w.physical("mended", "Bucket") != bucket {
		t.Error("the bucket was made again")
	}
	w.delete("mended")
	w.want(mended, types.StackStatusDeleteComplete, "")
	w.wantNothing()

	// Or rolled back.
	for _, updated := range []bool{false, true} {
		back := w.create("back", bad(), func(in *cloudformation.CreateStackInput) { in.DisableRollback = aws.Bool(true) })
		w.want("back", types.StackStatusCreateFailed, failed)
		want := types.StackStatusRollbackComplete
		if updated {
			w.update("back", bad(), func(in *cloudformation.UpdateStackInput) { in.DisableRollback = aws.Bool(true) })
			w.want("back", types.StackStatusUpdateFailed, failed)
			want = types.StackStatusUpdateRollbackComplete
		}
		if _, err := w.RollbackStack(t.Context(), &cloudformation.RollbackStackInput{StackName: aws.String("back")}); err != nil {
			t.Fatal(err)
		}
		w.want("back", want, "")
		w.wantNothing()
		w.delete("back")
		w.want(back, types.StackStatusDeleteComplete, "")
	}
	w.create("s", m{"Resources": m{"M": resource("AWS::CDK::Metadata", m{})}})
	w.settled("s")
	_, err = w.RollbackStack(t.Context(), &cloudformation.RollbackStackInput{StackName: aws.String("s")})
	check(t, "rollback of what is well", err, "ValidationError: Stack [s] can be rolled back in the states")
}

// An update that replaces what the one before has replaced, and has failed, leaves neither.
func TestReplacedTwice(t *testing.T) {
	w := newWorld(t, local.Config{})
	named := func(name string, good bool) m {
		template := m{"Resources": m{"Bucket": resource("AWS::S3::Bucket", m{"BucketName": name})}}
		if !good {
			resources(template)["Bad"] = m{"Type": "AWS::S3::Bucket", "DependsOn": "Bucket", "Properties": m{"BucketName": "-"}}
		}
		return template
	}
	stay := func(in *cloudformation.UpdateStackInput) { in.DisableRollback = aws.Bool(true) }
	for _, end := range []string{"mended", "kept", "rolled back", "deleted"} {
		id := w.create("s", named("one", true))
		w.want("s", types.StackStatusCreateComplete, "")
		for _, name := range []string{"two", "three"} {
			w.update("s", named(name, false), stay)
			w.want("s", types.StackStatusUpdateFailed, "The following resource(s) failed to create: [Bad]. ")
		}
		w.update("s", named("-", true), stay) // which replaces nothing
		w.want("s", types.StackStatusUpdateFailed, "The following resource(s) failed to update: [Bucket]. ")
		if diff := cmp.Diff([]string{"bucket one", "bucket three", "bucket two"}, w.real()); diff != "" {
			t.Errorf("%s: in between (-want +got):\n%s", end, diff)
		}
		left := []string(nil)
		switch end {
		case "mended":
			w.update("s", named("four", true))
			w.want("s", types.StackStatusUpdateComplete, "")
			left = []string{"bucket four"}
		case "kept":
			w.update("s", named("three", true))
			w.want("s", types.StackStatusUpdateComplete, "")
			left = []string{"bucket three"}
		case "rolled back":
			if _, err := w.RollbackStack(t.Context(), &cloudformation.RollbackStackInput{StackName: aws.String("s")}); err != nil {
				t.Fatal(err)
			}
			w.want("s", types.StackStatusUpdateRollbackComplete, "")
			left = []string{"bucket one"}
		}
		if end != "deleted" {
			if diff := cmp.Diff(left, w.real()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", end, diff)
			}
		}
		w.delete("s")
		w.want(id, types.StackStatusDeleteComplete, "")
		w.wantNothing()
	}
}

// An update can be cancelled while something takes its time; so can a creation, by
// deleting the stack.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, local.Config{StateDelay: time.Hour})
		id := w.create("s", pipeline())
		time.Sleep(time.Minute)
		if st := w.describe("s"); st.StackStatus != types.StackStatusCreateInProgress {
			t.Fatalf("%s", st.StackStatus)
		}
		_, err := w.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("s"), TemplateBody: body(pipeline()), Capabilities: iam})
		check(t, "an update meanwhile", err, "ValidationError: Stack:"+id+" is in CREATE_IN_PROGRESS state and can not be updated.")
		_, err = w.CancelUpdateStack(t.Context(), &cloudformation.CancelUpdateStackInput{StackName: aws.String("s")})
		check(t, "cancel a creation", err, "ValidationError: CancelUpdateStack cannot be called from current stack status")
		w.delete("s")
		time.Sleep(3 * time.Hour) // to be made and to be removed
		w.want(id, types.StackStatusDeleteComplete, "")
		if got := of(w.events(id), "Stream"); !slices.Contains(got, "CREATE_FAILED: Resource creation cancelled") || got[len(got)-1] != "DELETE_COMPLETE" {
			t.Errorf("%q", got)
		}
		w.wantNothing()

		w.create("s", pipeline())
		time.Sleep(2 * time.Hour)
		w.want("s", types.StackStatusCreateComplete, "")
		before := w.real()
		encrypted := pipeline()
		resources(encrypted)["Stream"].(m)["Properties"].(m)["DeliveryStreamEncryptionConfigurationInput"] = m{"KeyType": "AWS_OWNED_CMK"}
		resources(encrypted)["Extra"] = resource("AWS::S3::Bucket", m{})
		w.update("s", encrypted)
		time.Sleep(time.Minute)
		_, err = w.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("s")})
		check(t, "delete meanwhile", err, "ValidationError: Stack [s] cannot be deleted while in status UPDATE_IN_PROGRESS")
		if st := w.describe("s"); len(st.Outputs) != 3 {
			t.Errorf("outputs meanwhile: %v", st.Outputs)
		}
		if _, err = w.CancelUpdateStack(t.Context(), &cloudformation.CancelUpdateStackInput{StackName: aws.String("s")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		w.want("s", types.StackStatusUpdateRollbackComplete, "")
		if diff := cmp.Diff(before, w.real()); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
		if got := of(w.events("s"), "Stream"); !slices.Contains(got, "UPDATE_FAILED: Resource update cancelled") {
			t.Errorf("%q", got)
		}
		d, err := w.streams.DescribeDeliveryStream(t.Context(), &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: aws.String(w.physical("s", "Stream"))})
		if err != nil || d.DeliveryStreamDescription.DeliveryStreamEncryptionConfiguration.Status != "DISABLED" {
			t.Errorf("%+v, %v", d, err)
		}
		w.update("s", encrypted)
		time.Sleep(3 * time.Hour)
		w.want("s", types.StackStatusUpdateComplete, "")
	})
}

// When a resource fails, those that take their time are not waited for.
func TestSiblingsAreCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, local.Config{StateDelay: time.Hour})
		template := m{"Resources": m{
			"Slow": resource("AWS::KinesisFirehose::DeliveryStream", m{"S3DestinationConfiguration": m{
				"BucketARN": "arn:aws:s3:::b", "RoleARN": "arn:aws:iam::123456789012:role/r",
			}}),
			"Bad": m{"Type": "AWS::S3::Bucket", "DependsOn": "Last", "Properties": m{"BucketName": "-"}},
		}}
		last := "Last"
		for i := range 20 {
			next := fmt.Sprintf("R%d", i)
			resources(template)[last] = m{"Type": "AWS::CDK::Metadata", "DependsOn": next}
			last = next
		}
		resources(template)[last] = m{"Type": "AWS::CDK::Metadata"}
		w.create("s", template)
		time.Sleep(time.Minute)
		if st := w.describe("s"); st.StackStatus != types.StackStatusRollbackInProgress && st.StackStatus != types.StackStatusRollbackComplete {
			t.Errorf("%s", st.StackStatus)
		}
		time.Sleep(3 * time.Hour)
		w.want("s", types.StackStatusRollbackComplete, "")
		if got := of(w.events("s"), "Slow"); !slices.Contains(got, "CREATE_FAILED: Resource creation cancelled") {
			t.Errorf("%q", got)
		}
		if got := of(w.events("s"), "stack"); got[1] != "ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: [Bad, Slow]. Rollback requested by user." {
			t.Errorf("%q", got)
		}
		w.wantNothing()
	})
}
