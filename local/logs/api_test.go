package logs

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cwl "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/internal/keepbody"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// serve returns where s is served, and the Go SDK's client for it.
func serve(t *testing.T, s *Store) (string, *cwl.Client) {
	srv := httptest.NewServer(awsapi.New(awsapi.Config{
		Services: []*awsapi.Service{Service(s)}, Account: me.Account,
		Credentials: map[string]string{testKey: testSecret}, Logger: slog.New(slog.DiscardHandler),
	}))
	t.Cleanup(srv.Close)
	return srv.URL, cwl.New(cwl.Options{
		BaseEndpoint: &srv.URL, Region: me.Region, RetryMaxAttempts: 1, HTTPClient: keepbody.Client{HTTPClient: srv.Client()},
		Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, ""),
	})
}

// code is an error as the caller sees it, or "ok".
func code(err error) string {
	if err == nil {
		return "ok"
	}
	if apiErr, ok := errors.AsType[smithy.APIError](err); ok {
		return apiErr.ErrorCode() + ": " + apiErr.ErrorMessage()
	}
	return err.Error()
}

func check(t *testing.T, what string, err error, want string) {
	t.Helper()
	if got := code(err); !strings.HasPrefix(got, want) {
		t.Errorf("%s: %s\nwant %s", what, got, want)
	}
}

func TestGroupsBySDK(t *testing.T) {
	s := open(t, Config{})
	_, client := serve(t, s)
	ctx, name := t.Context(), aws.String("/aws/kinesisfirehose/s")
	arn := arnOf(me, *name)
	create := func(change func(*cwl.CreateLogGroupInput)) error {
		in := &cwl.CreateLogGroupInput{LogGroupName: name, Tags: map[string]string{"a": "1", "b": "2"}}
		change(in)
		_, err := client.CreateLogGroup(ctx, in)
		return err
	}
	check(t, "create", create(func(*cwl.CreateLogGroupInput) {}), "ok")
	for _, tt := range []struct {
		what   string
		change func(*cwl.CreateLogGroupInput)
		want   string
	}{
		{"again", func(*cwl.CreateLogGroupInput) {}, "ResourceAlreadyExistsException: The specified log group already exists"},
		{"no name", func(in *cwl.CreateLogGroupInput) { in.LogGroupName = aws.String("") }, "InvalidParameterException: 1 validation error detected: Value '' at 'logGroupName' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"a long name", func(in *cwl.CreateLogGroupInput) { in.LogGroupName = aws.String(strings.Repeat("x", 513)) }, "InvalidParameterException: 1 validation error detected: Value 'xxx"},
		{"a bad name", func(in *cwl.CreateLogGroupInput) { in.LogGroupName = aws.String("a b") }, `InvalidParameterException: 1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+`},
		{"a key", func(in *cwl.CreateLogGroupInput) { in.LogGroupName, in.KmsKeyId = aws.String("k"), aws.String("k") }, "NotImplementedException: "},
		{"protection", func(in *cwl.CreateLogGroupInput) {
			in.LogGroupName, in.DeletionProtectionEnabled = aws.String("k"), aws.Bool(true)
		}, "NotImplementedException: "},
		{"a class", func(in *cwl.CreateLogGroupInput) {
			in.LogGroupName, in.LogGroupClass = aws.String("k"), types.LogGroupClassDelivery
		}, "NotImplementedException: "},
	} {
		check(t, tt.what, create(tt.change), tt.want)
	}
	_, err := client.PutRetentionPolicy(ctx, &cwl.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: aws.Int32(30)})
	check(t, "retention", err, "ok")
	_, err = client.PutRetentionPolicy(ctx, &cwl.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: aws.Int32(2)})
	check(t, "retention of 2 days", err, "InvalidParameterException: 1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [1, 3, 5, ")
	_, err = client.PutRetentionPolicy(ctx, &cwl.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: aws.Int32(0)})
	check(t, "retention of none", err, "InvalidParameterException: ")

	_, err = client.CreateLogStream(ctx, &cwl.CreateLogStreamInput{LogGroupName: name, LogStreamName: aws.String("DestinationDelivery")})
	check(t, "stream", err, "ok")
	_, err = client.CreateLogStream(ctx, &cwl.CreateLogStreamInput{LogGroupName: name, LogStreamName: aws.String("DestinationDelivery")})
	check(t, "stream again", err, "ResourceAlreadyExistsException: The specified log stream already exists")
	_, err = client.CreateLogStream(ctx, &cwl.CreateLogStreamInput{LogGroupName: aws.String("none"), LogStreamName: aws.String("x")})
	check(t, "stream of no group", err, "ResourceNotFoundException: The specified log group does not exist.")
	_, err = client.CreateLogStream(ctx, &cwl.CreateLogStreamInput{LogGroupName: name, LogStreamName: aws.String("a:b")})
	check(t, "a bad stream", err, `InvalidParameterException: 1 validation error detected: Value 'a:b' at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*`)

	if err := s.Put(me, *name, "DestinationDelivery", []Event{{time.Now(), "1234"}}); err != nil {
		t.Fatal(err)
	}
	out, err := client.DescribeLogGroups(ctx, &cwl.DescribeLogGroupsInput{})
	if err != nil {
		t.Fatal(err)
	}
	want := []types.LogGroup{{
		LogGroupName: name, Arn: aws.String(arn + ":*"), LogGroupArn: &arn, RetentionInDays: aws.Int32(30), StoredBytes: aws.Int64(30),
		MetricFilterCount: aws.Int32(0), LogGroupClass: types.LogGroupClassStandard,
	}}
	if diff := gocmp.Diff(want, out.LogGroups, cmpopts.IgnoreUnexported(types.LogGroup{}), cmpopts.IgnoreFields(types.LogGroup{}, "CreationTime")); diff != "" || time.Since(time.UnixMilli(*out.LogGroups[0].CreationTime)) > time.Minute {
		t.Errorf("(-want +got):\n%s", diff)
	}

	tags := func() map[string]string {
		out, err := client.ListTagsForResource(ctx, &cwl.ListTagsForResourceInput{ResourceArn: &arn})
		if err != nil {
			t.Fatal(err)
		}
		return out.Tags
	}
	_, err = client.TagResource(ctx, &cwl.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"b": "3", "c": "4"}})
	check(t, "tag", err, "ok")
	_, err = client.UntagResource(ctx, &cwl.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a", "x"}})
	check(t, "untag", err, "ok")
	if diff := gocmp.Diff(map[string]string{"b": "3", "c": "4"}, tags()); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	many := map[string]string{}
	for i := range 49 {
		many[fmt.Sprint(i)] = ""
	}
	_, err = client.TagResource(ctx, &cwl.TagResourceInput{ResourceArn: &arn, Tags: many})
	check(t, "51 tags", err, "TooManyTagsException: ")
	if len(tags()) != 2 {
		t.Errorf("tags that were refused are there: %v", tags())
	}

	_, err = client.DeleteRetentionPolicy(ctx, &cwl.DeleteRetentionPolicyInput{LogGroupName: name})
	check(t, "no retention", err, "ok")
	if out, err := client.DescribeLogGroups(ctx, &cwl.DescribeLogGroupsInput{}); err != nil || out.LogGroups[0].RetentionInDays != nil {
		t.Errorf("%+v, %v", out, err)
	}
	_, err = client.DeleteLogStream(ctx, &cwl.DeleteLogStreamInput{LogGroupName: name, LogStreamName: aws.String("DestinationDelivery")})
	check(t, "delete stream", err, "ok")
	_, err = client.DeleteLogStream(ctx, &cwl.DeleteLogStreamInput{LogGroupName: name, LogStreamName: aws.String("DestinationDelivery")})
	check(t, "delete stream again", err, "ResourceNotFoundException: The specified log stream does not exist.")
	_, err = client.DeleteLogGroup(ctx, &cwl.DeleteLogGroupInput{LogGroupName: name})
	check(t, "delete", err, "ok")
	_, err = client.DeleteLogGroup(ctx, &cwl.DeleteLogGroupInput{LogGroupName: name})
	check(t, "delete again", err, "ResourceNotFoundException: ")
	_, err = client.ListTagsForResource(ctx, &cwl.ListTagsForResourceInput{ResourceArn: &arn})
	check(t, "tags of none", err, "ResourceNotFoundException: ")
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("%T is not the API's own error", err)
	}
	_, err = client.StartQuery(ctx, &cwl.StartQueryInput{QueryString: aws.String("x"), StartTime: aws.Int64(0), EndTime: aws.Int64(1)})
	check(t, "another operation", err, "NotImplementedException: The local Firehose does not support CloudWatch Logs's StartQuery.")
}

func TestDescribePages(t *testing.T) {
	s := open(t, Config{}).with(t, "g/s")
	if err := s.DeleteStream(me, "g", "s"); err != nil {
		t.Fatal(err)
	}
	_, client := serve(t, s)
	made := 0
	for _, n := range []int{0, 1, maxDescribed, maxDescribed + 1, 2 * maxDescribed} {
		for ; made < n; made++ {
			s.with(t, fmt.Sprintf("group-%03d/s", made), fmt.Sprintf("g/stream-%03d", made))
		}
		pages := max(1, (n+maxDescribed-1)/maxDescribed)
		groups, calls := []string{}, 0
		for p := cwl.NewDescribeLogGroupsPaginator(client, &cwl.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("group-")}); p.HasMorePages(); calls++ {
			out, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range out.LogGroups {
				groups = append(groups, *g.LogGroupName)
			}
		}
		if len(groups) != n || !slices.IsSorted(groups) || len(slices.Compact(groups)) != n || calls != pages {
			t.Errorf("%d groups in %d pages: %v", n, calls, groups)
		}
		for _, order := range []types.OrderBy{types.OrderByLogStreamName, types.OrderByLastEventTime} {
			for _, descending := range []bool{false, true} {
				streams, calls := []string{}, 0
				for p := cwl.NewDescribeLogStreamsPaginator(client, &cwl.DescribeLogStreamsInput{LogGroupName: aws.String("g"), OrderBy: order, Descending: &descending}); p.HasMorePages(); calls++ {
					out, err := p.NextPage(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					for _, st := range out.LogStreams {
						streams = append(streams, *st.LogStreamName)
					}
				}
				if descending {
					slices.Reverse(streams)
				}
				if len(streams) != n || !slices.IsSorted(streams) || len(slices.Compact(streams)) != n || calls != pages {
					t.Errorf("%s, descending %v: %d streams in %d pages: %v", order, descending, n, calls, streams)
				}
			}
		}
	}
}

func TestDescribe(t *testing.T) {
	s := open(t, Config{}).with(t, "one/s", "two/s", "g/a", "g/b", "g/c")
	_, client := serve(t, s)
	base := time.UnixMilli(time.Now().UnixMilli())
	for name, at := range map[string]time.Duration{"a": 2, "b": 1} {
		if err := s.Put(me, "g", name, []Event{{base.Add(at * time.Second), "x"}, {base.Add(-at * time.Second), "x"}}); err != nil {
			t.Fatal(err)
		}
	}
	groups := func(in cwl.DescribeLogGroupsInput) string {
		out, err := client.DescribeLogGroups(t.Context(), &in)
		if err != nil {
			return code(err)
		}
		var names []string
		for _, g := range out.LogGroups {
			names = append(names, *g.LogGroupName)
		}
		return strings.Join(names, " ")
	}
	for _, tt := range []struct {
		in   cwl.DescribeLogGroupsInput
		want string
	}{
		{cwl.DescribeLogGroupsInput{}, "g one two"},
		{cwl.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("t")}, "two"},
		{cwl.DescribeLogGroupsInput{LogGroupNamePattern: aws.String("o")}, "one two"},
		{cwl.DescribeLogGroupsInput{LogGroupIdentifiers: []string{"g", arnOf(me, "one") + ":*"}}, "g one"},
		{cwl.DescribeLogGroupsInput{LogGroupClass: types.LogGroupClassInfrequentAccess}, ""},
		{cwl.DescribeLogGroupsInput{Limit: aws.Int32(2)}, "g one"},
		{cwl.DescribeLogGroupsInput{Limit: aws.Int32(51)}, "InvalidParameterException: 1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50"},
		{cwl.DescribeLogGroupsInput{NextToken: aws.String("x")}, "InvalidParameterException: The specified nextToken is invalid."},
		{cwl.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("t"), LogGroupNamePattern: aws.String("o")}, "InvalidParameterException: LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."},
		{cwl.DescribeLogGroupsInput{IncludeLinkedAccounts: aws.Bool(true)}, "NotImplementedException: The local Firehose does not support includeLinkedAccounts: it has no linked accounts."},
	} {
		if got := groups(tt.in); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.in, got, tt.want)
		}
	}
	streams := func(in cwl.DescribeLogStreamsInput) string {
		out, err := client.DescribeLogStreams(t.Context(), &in)
		if err != nil {
			return code(err)
		}
		var names []string
		for _, st := range out.LogStreams {
			names = append(names, *st.LogStreamName)
		}
		return strings.Join(names, " ")
	}
	g := aws.String("g")
	for _, tt := range []struct {
		in   cwl.DescribeLogStreamsInput
		want string
	}{
		{cwl.DescribeLogStreamsInput{LogGroupName: g}, "a b c"},
		{cwl.DescribeLogStreamsInput{LogGroupName: g, Descending: aws.Bool(true)}, "c b a"},
		{cwl.DescribeLogStreamsInput{LogGroupName: g, OrderBy: types.OrderByLastEventTime}, "c b a"},
		{cwl.DescribeLogStreamsInput{LogGroupName: g, LogStreamNamePrefix: aws.String("b")}, "b"},
		{cwl.DescribeLogStreamsInput{LogGroupIdentifier: aws.String(arnOf(me, "g"))}, "a b c"},
		{cwl.DescribeLogStreamsInput{LogGroupIdentifier: g}, "a b c"},
		{cwl.DescribeLogStreamsInput{LogGroupIdentifier: aws.String(arnOf(awsapi.Caller{Account: "1", Region: me.Region}, "g"))}, "ResourceNotFoundException: The specified log group does not exist."},
		{cwl.DescribeLogStreamsInput{LogGroupName: g, LogGroupIdentifier: g}, "InvalidParameterException: LogGroupName and LogGroupIdentifier cannot be specified together."},
		{cwl.DescribeLogStreamsInput{}, "InvalidParameterException: Either LogGroupName or LogGroupIdentifier must be specified."},
		{cwl.DescribeLogStreamsInput{LogGroupName: g, OrderBy: types.OrderByLastEventTime, LogStreamNamePrefix: g}, "InvalidParameterException: Cannot order by LastEventTime with a logStreamNamePrefix."},
		{cwl.DescribeLogStreamsInput{LogGroupName: g, OrderBy: "x"}, "InvalidParameterException: 1 validation error detected: Value 'x' at 'orderBy' failed to satisfy constraint: Member must satisfy enum value set: [LogStreamName, LastEventTime]"},
	} {
		if got := streams(tt.in); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.in, got, tt.want)
		}
	}
	out, err := client.DescribeLogStreams(t.Context(), &cwl.DescribeLogStreamsInput{LogGroupName: g})
	if err != nil {
		t.Fatal(err)
	}
	a, c := out.LogStreams[0], out.LogStreams[2]
	if *a.FirstEventTimestamp != base.Add(-2*time.Second).UnixMilli() || *a.LastEventTimestamp != base.Add(2*time.Second).UnixMilli() ||
		*a.LastIngestionTime < base.UnixMilli() || *a.Arn != arnOf(me, "g")+":log-stream:a" || len(*a.UploadSequenceToken) != 56 {
		t.Errorf("%+v", a)
	}
	if c.FirstEventTimestamp != nil || c.LastEventTimestamp != nil || c.LastIngestionTime != nil {
		t.Errorf("a stream without events: %+v", c)
	}
}

func TestPutLogEvents(t *testing.T) {
	s := open(t, Config{}).with(t, "g/s")
	_, client := serve(t, s)
	now := time.Now().UnixMilli()
	event := func(ago int64, message string) types.InputLogEvent {
		return types.InputLogEvent{Timestamp: aws.Int64(now - ago), Message: &message}
	}
	put := func(events ...types.InputLogEvent) (*cwl.PutLogEventsOutput, error) {
		return client.PutLogEvents(t.Context(), &cwl.PutLogEventsInput{
			LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), LogEvents: events, SequenceToken: aws.String("ignored"),
		})
	}
	stored := func() int {
		events, err := s.events(me, "g", "s")
		if err != nil {
			t.Fatal(err)
		}
		return len(events)
	}
	const hour = 60 * 60 * 1000
	many := slices.Repeat([]types.InputLogEvent{event(0, "x")}, maxBatchEvents+1)
	big := func(bytes int) []types.InputLogEvent { // of two events, counting 52 bytes
		return []types.InputLogEvent{event(0, strings.Repeat("ü", 1000)), event(0, strings.Repeat("x", bytes-52-2000))}
	}
	for _, tt := range []struct {
		what   string
		events []types.InputLogEvent
		stored int
		want   string
	}{
		{"one", many[:1], 1, "ok"},
		{"10,000", many[:maxBatchEvents], maxBatchEvents, "ok"},
		{"10,001", many, 0, "InvalidParameterException: 1 validation error detected: Value '[10001 elements]' at 'logEvents' failed to satisfy constraint: Member must have length less than or equal to 10000"},
		{"none", []types.InputLogEvent{}, 0, "InvalidParameterException: 1 validation error detected: Value '[]' at 'logEvents'"},
		{"1 MiB", big(maxBatchBytes), 2, "ok"},
		{"1 MiB and a byte", big(maxBatchBytes + 1), 0, "InvalidParameterException: Upload too large: 1048577 bytes exceeds limit of 1048576"},
		{"out of order", []types.InputLogEvent{event(0, "x"), event(1, "x")}, 0, "InvalidParameterException: Log events in a single PutLogEvents request must be in chronological order."},
		{"24 hours", []types.InputLogEvent{event(24*hour, "x"), event(0, "x")}, 2, "ok"},
		{"more than 24 hours", []types.InputLogEvent{event(24*hour+1, "x"), event(0, "x")}, 0, "InvalidParameterException: The batch of log events in a single PutLogEvents request cannot span more than 24 hours."},
		{"24 hours without what is rejected", []types.InputLogEvent{event(20*24*hour, "x"), event(0, "x")}, 1, "ok"},
		{"an empty message", []types.InputLogEvent{event(0, "x"), event(0, "")}, 0, "InvalidParameterException: 1 validation error detected: Value '' at 'logEvents.2.member.message' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"a time before 1970", []types.InputLogEvent{event(now+1, "x")}, 0, "InvalidParameterException: 1 validation error detected: Value '-1' at 'logEvents.1.member.timestamp'"},
	} {
		before := stored()
		out, err := put(tt.events...)
		check(t, tt.what, err, tt.want)
		if n := stored() - before; n != tt.stored {
			t.Errorf("%s: %d events are stored, want %d", tt.what, n, tt.stored)
		}
		if err == nil && len(*out.NextSequenceToken) != 56 {
			t.Errorf("%s: the token %q", tt.what, *out.NextSequenceToken)
		}
	}

	index := func(i int32) *int32 { return &i }
	for _, tt := range []struct {
		what      string
		retention int
		ago       []int64 // hours
		want      *types.RejectedLogEventsInfo
		stored    int
	}{
		{"all good", 0, []int64{1, 0}, nil, 2},
		{"too old", 0, []int64{15 * 24, 14*24 + 1, 14*24 - 1}, &types.RejectedLogEventsInfo{TooOldLogEventEndIndex: index(2)}, 1},
		{"too new", 0, []int64{0, -1, -3, -4}, &types.RejectedLogEventsInfo{TooNewLogEventStartIndex: index(2)}, 2},
		{"both", 0, []int64{15 * 24, 0, -3}, &types.RejectedLogEventsInfo{TooOldLogEventEndIndex: index(1), TooNewLogEventStartIndex: index(2)}, 1},
		{"all old", 0, []int64{15 * 24, 15 * 24}, &types.RejectedLogEventsInfo{TooOldLogEventEndIndex: index(2)}, 0},
		{"past retention", 1, []int64{15 * 24, 25, 23}, &types.RejectedLogEventsInfo{ExpiredLogEventEndIndex: index(2), TooOldLogEventEndIndex: index(1)}, 1},
	} {
		if err := s.SetRetention(me, "g", tt.retention); err != nil {
			t.Fatal(err)
		}
		before := stored()
		var events []types.InputLogEvent
		for _, ago := range tt.ago {
			events = append(events, event(ago*hour, "x"))
		}
		out, err := put(events...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(tt.want, out.RejectedLogEventsInfo, cmpopts.IgnoreUnexported(types.RejectedLogEventsInfo{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.what, diff)
		}
		if n := stored() - before; n != tt.stored {
			t.Errorf("%s: %d events are stored, want %d", tt.what, n, tt.stored)
		}
	}
	for stream, group := range map[string]string{"s": "none", "none": "g"} {
		_, err := client.PutLogEvents(t.Context(), &cwl.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream, LogEvents: many[:1]})
		check(t, group+"/"+stream, err, "ResourceNotFoundException: The specified log ")
	}
}

// messages are those of a page.
func messages(events []types.OutputLogEvent) (m []string) {
	for _, e := range events {
		m = append(m, *e.Message)
	}
	return m
}

func TestGetLogEvents(t *testing.T) {
	s := open(t, Config{}).with(t, "g/s")
	_, client := serve(t, s)
	base := time.UnixMilli(time.Now().UnixMilli())
	get := func(change func(*cwl.GetLogEventsInput)) *cwl.GetLogEventsOutput {
		t.Helper()
		in := &cwl.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")}
		change(in)
		out, err := client.GetLogEvents(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := func(what string, out *cwl.GetLogEventsOutput, want string) {
		t.Helper()
		if got := strings.Join(messages(out.Events), " "); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	at := func(token *string) func(*cwl.GetLogEventsInput) {
		return func(in *cwl.GetLogEventsInput) { in.NextToken, in.Limit = token, aws.Int32(2) }
	}
	all := func(*cwl.GetLogEventsInput) {}
	put := func(messages ...string) {
		t.Helper()
		for _, m := range messages {
			seconds := int(m[0] - '0')
			if err := s.Put(me, "g", "s", []Event{{base.Add(time.Duration(seconds) * time.Second), m}}); err != nil {
				t.Fatal(err)
			}
		}
	}

	out := get(all)
	want("an empty stream", out, "")
	empty := out.NextForwardToken
	put("0", "1", "2", "3", "4")
	want("what came since", get(at(empty)), "0 1")
	want("all", get(all), "0 1 2 3 4")
	want("the last", get(at(nil)), "3 4")
	want("the first", get(func(in *cwl.GetLogEventsInput) { in.StartFromHead, in.Limit = aws.Bool(true), aws.Int32(2) }), "0 1")
	ms := func(seconds int) *int64 { return aws.Int64(base.Add(time.Duration(seconds) * time.Second).UnixMilli()) }
	want("a range", get(func(in *cwl.GetLogEventsInput) { in.StartTime, in.EndTime = ms(1), ms(3) }), "1 2")

	// Backward from the end, one more page than there are, and forward again.
	out = get(at(nil))
	forward := out.NextForwardToken
	for _, page := range []string{"1 2", "0", "", ""} {
		out = get(at(out.NextBackwardToken))
		want("backward", out, page)
	}
	if again := get(at(out.NextBackwardToken)); *again.NextBackwardToken != *out.NextBackwardToken {
		t.Error("the token at the front does not stay the same")
	}
	for _, page := range []string{"0 1", "2 3", "4", ""} {
		out = get(at(out.NextForwardToken))
		want("forward", out, page)
	}
	if again := get(at(out.NextForwardToken)); *again.NextForwardToken != *out.NextForwardToken {
		t.Error("the token at the end does not stay the same")
	}
	want("forward from the last page", get(at(forward)), "")
	put("5", "4b")
	want("what came since the end", get(at(forward)), "4b 5")
	if e := get(all).Events[0]; *e.Timestamp != base.UnixMilli() || *e.IngestionTime < base.UnixMilli() {
		t.Errorf("%+v", e)
	}
	for _, tt := range []struct {
		in   cwl.GetLogEventsInput
		want string
	}{
		{cwl.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), NextToken: aws.String("x")}, "InvalidParameterException: The specified nextToken is invalid."},
		{cwl.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), Limit: aws.Int32(0)}, "InvalidParameterException: 1 validation error detected: Value '0' at 'limit'"},
		{cwl.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), Limit: aws.Int32(10001)}, "InvalidParameterException: 1 validation error detected: Value '10001' at 'limit'"},
		{cwl.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("none")}, "ResourceNotFoundException: The specified log stream does not exist."},
		{cwl.GetLogEventsInput{LogGroupName: aws.String("none"), LogStreamName: aws.String("s")}, "ResourceNotFoundException: The specified log group does not exist."},
	} {
		_, err := client.GetLogEvents(t.Context(), &tt.in)
		check(t, fmt.Sprintf("%+v", tt.in), err, tt.want)
	}
}

// TestEventPages: the paginators of the SDK meet every event once, in order, at the
// edges of pages by number and by size.
func TestEventPages(t *testing.T) {
	for _, tt := range []struct {
		events, limit, size int
		pages               int // of FilterLogEvents
	}{
		{0, 3, 1, 1},
		{1, 3, 1, 1},
		{3, 3, 1, 1},
		{4, 3, 1, 2},
		{7, 3, 1, 3},
		{maxPageEvents, 0, 1, 1},
		{maxPageEvents + 1, 0, 1, 2},
		{4, 0, maxPageBytes/2 - eventOverhead, 2},
		{4, 0, maxPageBytes/2 - eventOverhead + 1, 4},
		{2, 0, maxPageBytes - eventOverhead, 2},
	} {
		s := open(t, Config{}).with(t, "g/s", "g/t")
		_, client := serve(t, s)
		base := time.Now()
		pad := strings.Repeat("x", max(tt.size-5, 0))
		var want []string
		batches := map[string][]Event{}
		for i := range tt.events {
			stream := []string{"s", "t"}[i%2]
			batches[stream] = append(batches[stream], Event{base.Add(time.Duration(i/3) * time.Millisecond), fmt.Sprintf("%05d%s", i, pad)})
			want = append(want, fmt.Sprintf("%05d", i))
		}
		// Of the same time, those that came first are first.
		for i := range tt.events {
			stream := []string{"s", "t"}[i%2]
			if err := s.Put(me, "g", stream, batches[stream][i/2:i/2+1]); err != nil {
				t.Fatal(err)
			}
		}
		var limit *int32
		if tt.limit > 0 {
			limit = aws.Int32(int32(tt.limit))
		}
		var got []string
		ids := map[string]bool{}
		pages := 0
		for p := cwl.NewFilterLogEventsPaginator(client, &cwl.FilterLogEventsInput{LogGroupName: aws.String("g"), Limit: limit}); p.HasMorePages(); pages++ {
			out, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range out.Events {
				got = append(got, (*e.Message)[:5])
				ids[*e.EventId] = true
			}
		}
		if !slices.Equal(got, want) || len(ids) != len(want) || pages != tt.pages {
			t.Errorf("%+v: FilterLogEvents: %d events, %d ids, %d pages", tt, len(got), len(ids), pages)
		}
		got = nil
		for p := cwl.NewGetLogEventsPaginator(client, &cwl.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("t"), Limit: limit, StartFromHead: aws.Bool(true)}, func(o *cwl.GetLogEventsPaginatorOptions) { o.StopOnDuplicateToken = true }); p.HasMorePages(); {
			out, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range out.Events {
				got = append(got, (*e.Message)[:5])
			}
		}
		var odd []string
		for i := 1; i < len(want); i += 2 {
			odd = append(odd, want[i])
		}
		if !slices.Equal(got, odd) {
			t.Errorf("%+v: GetLogEvents: %d events, want %d", tt, len(got), len(odd))
		}
	}
}

func TestFilterLogEvents(t *testing.T) {
	s := open(t, Config{}).with(t, "g/delivery-a", "g/delivery-b", "g/backup")
	_, client := serve(t, s)
	base := time.UnixMilli(time.Now().UnixMilli())
	for i, e := range []struct{ stream, message string }{
		{"delivery-a", `{"errorCode":"S3.AccessDenied","n":0}`},
		{"backup", `{"errorCode":"S3.NoSuchBucket","n":1}`},
		{"delivery-b", `{"errorCode":"S3.AccessDenied","n":2}`},
		{"delivery-a", "plain 3"},
	} {
		if err := s.Put(me, "g", e.stream, []Event{{base.Add(time.Duration(i) * time.Second), e.message}}); err != nil {
			t.Fatal(err)
		}
	}
	ms := func(i int) *int64 { return aws.Int64(base.Add(time.Duration(i) * time.Second).UnixMilli()) }
	for _, tt := range []struct {
		in   cwl.FilterLogEventsInput
		want string // the number in the message, in order
	}{
		{cwl.FilterLogEventsInput{}, "0 1 2 3"},
		{cwl.FilterLogEventsInput{StartTime: ms(1), EndTime: ms(2)}, "1 2"},
		{cwl.FilterLogEventsInput{LogStreamNamePrefix: aws.String("delivery-")}, "0 2 3"},
		{cwl.FilterLogEventsInput{LogStreamNames: []string{"backup", "delivery-b"}}, "1 2"},
		{cwl.FilterLogEventsInput{FilterPattern: aws.String(`{ $.errorCode = "S3.AccessDenied" }`)}, "0 2"},
		{cwl.FilterLogEventsInput{FilterPattern: aws.String(`plain`)}, "3"},
		{cwl.FilterLogEventsInput{FilterPattern: aws.String(`-plain`), LogStreamNamePrefix: aws.String("d")}, "0 2"},
		{cwl.FilterLogEventsInput{LogStreamNames: []string{"none"}}, "ResourceNotFoundException: The specified log stream does not exist."},
		{cwl.FilterLogEventsInput{LogStreamNames: []string{"backup"}, LogStreamNamePrefix: aws.String("d")}, "InvalidParameterException: LogStreamNamePrefix and LogStreamNames cannot be specified together."},
		{cwl.FilterLogEventsInput{LogStreamNames: slices.Repeat([]string{"backup"}, 101)}, "InvalidParameterException: 1 validation error"},
		{cwl.FilterLogEventsInput{FilterPattern: aws.String("a.b")}, "InvalidParameterException: Invalid character(s) in term 'a.b'"},
		{cwl.FilterLogEventsInput{FilterPattern: aws.String("%a%")}, "NotImplementedException: "},
		{cwl.FilterLogEventsInput{NextToken: aws.String("b/000000000000000000000000000000000000" + "00000000000000000000/s")}, "InvalidParameterException: The specified nextToken is invalid."},
		{cwl.FilterLogEventsInput{LogGroupName: aws.String("none")}, "ResourceNotFoundException: The specified log group does not exist."},
	} {
		if tt.in.LogGroupName == nil {
			tt.in.LogGroupName = aws.String("g")
		}
		out, err := client.FilterLogEvents(t.Context(), &tt.in)
		got := code(err)
		if err == nil {
			var numbers []string
			for _, e := range out.Events {
				n, _ := strings.CutPrefix(strings.TrimSuffix(*e.Message, "}"), "plain ")
				numbers = append(numbers, n[len(n)-1:])
			}
			got = strings.Join(numbers, " ")
		}
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%+v: %s, want %s", tt.in, got, tt.want)
		}
	}
	out, err := client.FilterLogEvents(t.Context(), &cwl.FilterLogEventsInput{LogGroupIdentifier: aws.String(arnOf(me, "g")), Limit: aws.Int32(1)})
	if err != nil || out.NextToken == nil || *out.Events[0].LogStreamName != "delivery-a" || *out.Events[0].Timestamp != base.UnixMilli() {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestPageSize: a page is filled to the byte, and has one event at least.
func TestPageSize(t *testing.T) {
	of := func(sizes ...int) (events []event) {
		for _, n := range sizes {
			events = append(events, event{message: strings.Repeat("x", n-eventOverhead)})
		}
		return events
	}
	const half = maxPageBytes / 2
	for _, tt := range []struct {
		events []event
		limit  int
		first  int // how many of the first make a page
		last   int
	}{
		{nil, 5, 0, 0},
		{of(half, half, 100), 5, 2, 2},
		{of(half, half+1, 100), 5, 1, 2},
		{of(100, half+1, half), 5, 2, 1},
		{of(2*maxPageBytes, 100), 5, 1, 1},
		{of(100, 2*maxPageBytes), 5, 1, 1},
		{of(100, 100, 100), 2, 2, 2},
	} {
		if first, last := fit(tt.events, tt.limit, false), fit(tt.events, tt.limit, true); first != tt.first || last != tt.last {
			t.Errorf("%d events, at most %d: %d and %d, want %d and %d", len(tt.events), tt.limit, first, last, tt.first, tt.last)
		}
	}
}
