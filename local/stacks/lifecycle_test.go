package stacks_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hydrant-go/hydrant/local"
)

// A stack is made, updated and deleted, and so is all that it has, for real.
func TestLifecycle(t *testing.T) {
	w := newWorld(t, local.Config{})
	id := w.create("demo", pipeline(), func(in *cloudformation.CreateStackInput) {
		in.Parameters, in.Tags = parameters("Size", "7"), []types.Tag{{Key: aws.String("of"), Value: aws.String("stack")}}
		in.NotificationARNs = []string{"arn:aws:sns:us-east-1:123456789012:topic"}
	})
	if err := cloudformation.NewStackCreateCompleteWaiter(w).Wait(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("demo")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	stream, bucket := w.physical("demo", "Stream"), w.physical("demo", "Bucket")
	st := w.want("demo", types.StackStatusCreateComplete, "")
	want := types.Stack{
		StackId: &id, StackName: aws.String("demo"), Description: aws.String("a pipeline"), StackStatus: types.StackStatusCreateComplete,
		Parameters: parameters("Days", "14", "Size", "7", "Prefix", ""), Capabilities: iam, DisableRollback: aws.Bool(false), EnableTerminationProtection: aws.Bool(false),
		Tags: []types.Tag{{Key: aws.String("of"), Value: aws.String("stack")}}, NotificationARNs: []string{"arn:aws:sns:us-east-1:123456789012:topic"},
		Outputs: []types.Output{
			{OutputKey: aws.String("StreamName"), OutputValue: &stream, Description: aws.String("the stream")},
			{OutputKey: aws.String("BucketName"), OutputValue: &bucket},
			{OutputKey: aws.String("StreamArn"), OutputValue: aws.String("arn:aws:firehose:us-east-1:123456789012:deliverystream/" + stream), ExportName: aws.String("demo-arn")},
		},
		RollbackConfiguration: &types.RollbackConfiguration{}, DriftInformation: &types.StackDriftInformation{StackDriftStatus: types.StackDriftStatusNotChecked},
	}
	sorted := cmpopts.SortSlices(func(a, b any) bool {
		switch a := a.(type) {
		case types.Output:
			return *a.OutputKey < *b.(types.Output).OutputKey
		case types.Parameter:
			return *a.ParameterKey < *b.(types.Parameter).ParameterKey
		}
		return false
	})
	if diff := cmp.Diff(want, st, cmpopts.IgnoreUnexported(types.Stack{}, types.Output{}, types.Parameter{}, types.Tag{}, types.RollbackConfiguration{}, types.StackDriftInformation{}),
		cmpopts.IgnoreFields(types.Stack{}, "CreationTime"), sorted); diff != "" || time.Since(*st.CreationTime) > time.Minute {
		t.Errorf("(-want +got):\n%s", diff)
	}
	all := []string{"bucket " + bucket, "group /aws/kinesisfirehose/demo", "log /aws/kinesisfirehose/demo Delivery", "stream " + stream}
	if diff := cmp.Diff(all, w.real()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.wantStream(stream, 7, "", "of=stack own=1")
	w.wantRetention("/aws/kinesisfirehose/demo", 14)

	w.update("demo", pipeline(), func(in *cloudformation.UpdateStackInput) {
		in.Parameters = parameters("Days", "30", "Prefix", "p/")
		in.Tags = []types.Tag{}
	})
	w.want("demo", types.StackStatusUpdateComplete, "")
	if diff := cmp.Diff(all, w.real()); diff != "" {
		t.Errorf("after the update (-want +got):\n%s", diff)
	}
	w.wantStream(stream, 5, "p/", "own=1") // an empty list is none
	w.wantRetention("/aws/kinesisfirehose/demo", 30)

	_, err := w.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{
		StackName: aws.String("demo"), UsePreviousTemplate: aws.Bool(true), Capabilities: iam,
		Parameters: []types.Parameter{{ParameterKey: aws.String("Days"), UsePreviousValue: aws.Bool(true)}, {ParameterKey: aws.String("Prefix"), UsePreviousValue: aws.Bool(true)}},
	})
	check(t, "an update without a change", err, "ValidationError: No updates are to be performed.")

	w.delete("demo")
	if err := cloudformation.NewStackDeleteCompleteWaiter(w).Wait(t.Context(), &cloudformation.DescribeStacksInput{StackName: &id}, time.Minute); err != nil {
		t.Fatal(err)
	}
	w.wantNothing()
	_, err = w.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("demo")})
	check(t, "a deleted stack", err, "ValidationError: Stack with id demo does not exist")
	gone := w.describe(id)
	if gone.StackStatus != types.StackStatusDeleteComplete || gone.DeletionTime == nil || gone.EnableTerminationProtection != nil {
		t.Errorf("by its id: %+v", gone)
	}
	w.delete("demo")
	w.delete("never")
}

func (w *world) wantStream(name string, size int32, prefix, tags string) {
	w.t.Helper()
	out, err := w.streams.DescribeDeliveryStream(w.t.Context(), &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
	if err != nil {
		w.t.Fatal(err)
	}
	d := out.DeliveryStreamDescription.Destinations[0].ExtendedS3DestinationDescription
	list, err := w.streams.ListTagsForDeliveryStream(w.t.Context(), &firehose.ListTagsForDeliveryStreamInput{DeliveryStreamName: &name})
	if err != nil {
		w.t.Fatal(err)
	}
	got := ""
	for _, tag := range list.Tags {
		got += " " + *tag.Key + "=" + *tag.Value
	}
	if *d.BufferingHints.SizeInMBs != size || aws.ToString(d.Prefix) != prefix || got != " "+tags {
		w.t.Errorf("stream %s: %d MiB, prefix %q, tags%s\nwant %d, %q, %s", name, *d.BufferingHints.SizeInMBs, aws.ToString(d.Prefix), got, size, prefix, tags)
	}
}

func (w *world) wantRetention(group string, days int32) {
	w.t.Helper()
	out, err := w.logs.DescribeLogGroups(w.t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &group})
	if err != nil || len(out.LogGroups) != 1 || aws.ToInt32(out.LogGroups[0].RetentionInDays) != days {
		w.t.Errorf("group %s: %+v, %v\nwant %d days", group, out, err, days)
	}
}

// The events are those of AWS, in its order.
func TestEvents(t *testing.T) {
	w := newWorld(t, local.Config{})
	template := m{"Resources": m{
		"Bucket": resource("AWS::S3::Bucket", m{}),
		"Policy": resource("AWS::S3::BucketPolicy", m{"Bucket": ref("Bucket"), "PolicyDocument": m{}}),
	}}
	id := w.create("s", template)
	w.settled(id)
	template["Resources"].(m)["Bucket"].(m)["Properties"] = m{"BucketName": "another-bucket"}
	w.update("s", template)
	w.settled(id)
	w.delete("s")
	w.settled(id)
	want := []string{
		"stack CREATE_IN_PROGRESS: User Initiated",
		"Bucket CREATE_IN_PROGRESS",
		"Bucket CREATE_IN_PROGRESS: Resource creation Initiated",
		"Bucket CREATE_COMPLETE",
		"Policy CREATE_IN_PROGRESS",
		"Policy CREATE_IN_PROGRESS: Resource creation Initiated",
		"Policy CREATE_COMPLETE",
		"stack CREATE_COMPLETE",

		"stack UPDATE_IN_PROGRESS: User Initiated",
		"Bucket UPDATE_IN_PROGRESS: Requested update requires the creation of a new physical resource; hence creating one.",
		"Bucket UPDATE_IN_PROGRESS: Resource creation Initiated",
		"Bucket UPDATE_COMPLETE",
		"Policy UPDATE_IN_PROGRESS: Requested update requires the creation of a new physical resource; hence creating one.",
		"Policy UPDATE_IN_PROGRESS: Resource creation Initiated",
		"Policy UPDATE_COMPLETE",
		"stack UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
		"Policy DELETE_IN_PROGRESS",
		"Policy DELETE_COMPLETE",
		"Bucket DELETE_IN_PROGRESS",
		"Bucket DELETE_COMPLETE",
		"stack UPDATE_COMPLETE",

		"stack DELETE_IN_PROGRESS: User Initiated",
		"Policy DELETE_IN_PROGRESS",
		"Policy DELETE_COMPLETE",
		"Bucket DELETE_IN_PROGRESS",
		"Bucket DELETE_COMPLETE",
		"stack DELETE_COMPLETE",
	}
	if diff := cmp.Diff(want, w.events(id)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	out, err := w.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: &id})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for i, e := range out.StackEvents {
		if ids[*e.EventId] || i > 0 && !e.Timestamp.Before(*out.StackEvents[i-1].Timestamp) {
			t.Errorf("event %d is not unique or not older than the one before: %s at %s", i, *e.EventId, e.Timestamp)
		}
		ids[*e.EventId] = true
	}
	w.wantNothing()
}

// Resources come and go as conditions say.
func TestConditions(t *testing.T) {
	w := newWorld(t, local.Config{})
	conditional := resource("AWS::Logs::LogGroup", m{"LogGroupName": "g"})
	conditional["Condition"] = "On"
	template := m{
		"Parameters": m{"P": m{"Type": "String"}}, "Conditions": m{"On": m{"Fn::Equals": []any{ref("P"), "on"}}},
		"Resources": m{"G": conditional, "R": resource("AWS::CDK::Metadata", m{"X": m{"Fn::If": []any{"On", ref("G"), "none"}}})},
		"Outputs":   m{"O": m{"Condition": "On", "Value": ref("G")}},
	}
	set := func(value string) []types.Parameter { return parameters("P", value) }
	id := w.create("s", template, func(in *cloudformation.CreateStackInput) { in.Parameters = set("on") })
	for _, value := range []string{"on", "off", "on", "off"} {
		if value == "off" || w.settled("s").StackStatus != types.StackStatusCreateComplete {
			w.update("s", template, func(in *cloudformation.UpdateStackInput) { in.Parameters = set(value) })
			w.want("s", types.StackStatusUpdateComplete, "")
		}
		want := 0
		if value == "on" {
			want = 1
		}
		if names, outputs := w.real(), w.describe("s").Outputs; len(names) != want || len(outputs) != want {
			t.Errorf("%s: %q, %v", value, names, outputs)
		}
	}
	w.delete("s")
	w.want(id, types.StackStatusDeleteComplete, "")
}

// A resource that is replaced by one of the same name elsewhere is replaced.
func TestSameName(t *testing.T) {
	w := newWorld(t, local.Config{})
	template := func(group string, good bool) m {
		all := m{
			"A": resource("AWS::Logs::LogGroup", m{"LogGroupName": "a"}), "B": resource("AWS::Logs::LogGroup", m{"LogGroupName": "b"}),
			"L": resource("AWS::Logs::LogStream", m{"LogGroupName": ref(group), "LogStreamName": "l"}),
		}
		if !good {
			all["Bad"] = m{"Type": "AWS::S3::Bucket", "DependsOn": "L", "Properties": m{"BucketName": "-"}}
		}
		return m{"Resources": all}
	}
	id := w.create("s", template("A", true))
	w.want("s", types.StackStatusCreateComplete, "")
	w.update("s", template("B", false))
	w.want("s", types.StackStatusUpdateRollbackComplete, "")
	if diff := cmp.Diff([]string{"group a", "group b", "log a l"}, w.real()); diff != "" {
		t.Errorf("rolled back (-want +got):\n%s", diff)
	}
	w.update("s", template("B", true))
	w.want("s", types.StackStatusUpdateComplete, "")
	if diff := cmp.Diff([]string{"group a", "group b", "log b l"}, w.real()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.delete("s")
	w.want(id, types.StackStatusDeleteComplete, "")
	w.wantNothing()
}
