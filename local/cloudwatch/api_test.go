package cloudwatch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"github.com/fxamacker/cbor/v2"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/internal/keepbody"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// serve returns where s is served, and the Go SDK's client for it, which speaks CBOR.
func serve(t *testing.T, s *Store) (string, *cw.Client) {
	srv := httptest.NewServer(awsapi.New(awsapi.Config{
		Services: []*awsapi.Service{Service(s)}, Account: me.Account,
		Credentials: map[string]string{testKey: testSecret}, Logger: slog.New(slog.DiscardHandler),
	}))
	t.Cleanup(srv.Close)
	return srv.URL, cw.New(cw.Options{
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

// dims makes dimensions of name, value, name, value…
func dims(nameValue ...string) (d []types.Dimension) {
	for pair := range slices.Chunk(nameValue, 2) {
		d = append(d, types.Dimension{Name: &pair[0], Value: &pair[1]})
	}
	return d
}

var ignoreMeta = cmpopts.IgnoreUnexported(types.Datapoint{}, types.MetricDataResult{}, types.Metric{}, types.Dimension{})

func TestGetMetricStatistics(t *testing.T) {
	s := &Store{}
	_, client := serve(t, s)
	start := time.Now().UTC().Truncate(time.Minute).Add(-time.Hour)
	s.Series(metric("m")).add(start, start, set{0, 4, 10, 1, 4.5})
	bytes := metric("m")
	bytes.Unit = "Bytes"
	s.Series(bytes).Add(start, 1)
	query := func(change func(*cw.GetMetricStatisticsInput)) *cw.GetMetricStatisticsInput {
		in := &cw.GetMetricStatisticsInput{
			Namespace: aws.String("N"), MetricName: aws.String("m"), Dimensions: dims("b", "2", "a", "1"),
			StartTime: aws.Time(start.Add(30500 * time.Millisecond)), EndTime: aws.Time(start.Add(time.Hour)), Period: aws.Int32(60), Statistics: types.StatisticSum.Values(),
			Unit: types.StandardUnitCount,
		}
		change(in)
		return in
	}
	out, err := client.GetMetricStatistics(t.Context(), query(func(*cw.GetMetricStatisticsInput) {}))
	if err != nil {
		t.Fatal(err)
	}
	want := []types.Datapoint{{
		Timestamp: &start, Unit: types.StandardUnitCount, SampleCount: aws.Float64(4), Sum: aws.Float64(10), Average: aws.Float64(2.5), Minimum: aws.Float64(1), Maximum: aws.Float64(4.5),
	}}
	if diff := gocmp.Diff(want, out.Datapoints, ignoreMeta); diff != "" || aws.ToString(out.Label) != "m" {
		t.Errorf("label %s, datapoints (-want +got):\n%s", aws.ToString(out.Label), diff)
	}
	out, err = client.GetMetricStatistics(t.Context(), query(func(in *cw.GetMetricStatisticsInput) { in.Unit, in.Statistics = "", []types.Statistic{"Sum"} }))
	want = []types.Datapoint{
		{Timestamp: &start, Unit: types.StandardUnitBytes, Sum: aws.Float64(1)},
		{Timestamp: &start, Unit: types.StandardUnitCount, Sum: aws.Float64(10)},
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, out.Datapoints, ignoreMeta); diff != "" {
		t.Errorf("of all units (-want +got):\n%s", diff)
	}

	for _, tt := range []struct {
		what   string
		change func(*cw.GetMetricStatisticsInput)
		want   string
	}{
		{"no statistics", func(in *cw.GetMetricStatisticsInput) { in.Statistics = nil }, "InvalidParameterValue: The parameter Statistics must hold 1 to 5 statistics, not 0."},
		{"unknown statistic", func(in *cw.GetMetricStatisticsInput) { in.Statistics = []types.Statistic{"p99"} }, `InvalidParameterValue: The parameter Statistics holds "p99"`},
		{"percentiles", func(in *cw.GetMetricStatisticsInput) { in.ExtendedStatistics = []string{"p99"} }, "InvalidParameterValue: The local Firehose does not support ExtendedStatistics"},
		{"a short period", func(in *cw.GetMetricStatisticsInput) { in.Period = aws.Int32(30) }, "InvalidParameterValue: The parameter Period must be a multiple of 60 seconds, not 30;"},
		{"no period", func(in *cw.GetMetricStatisticsInput) { in.Period = aws.Int32(0) }, "InvalidParameterValue: The parameter Period"},
		{"an odd period", func(in *cw.GetMetricStatisticsInput) { in.Period = aws.Int32(90) }, "InvalidParameterValue: The parameter Period"},
		{"no time", func(in *cw.GetMetricStatisticsInput) { in.EndTime = in.StartTime }, "InvalidParameterValue: The parameter StartTime must be less than the parameter EndTime."},
		{"1,441 datapoints", func(in *cw.GetMetricStatisticsInput) {
			in.EndTime = aws.Time(in.StartTime.Add(24*time.Hour + time.Millisecond))
		}, "InvalidParameterCombination: You have requested up to 1441 datapoints, which exceeds the limit of 1440."},
		{"1,440 datapoints", func(in *cw.GetMetricStatisticsInput) { in.EndTime = aws.Time(in.StartTime.Add(24 * time.Hour)) }, "ok"},
		{"no metric", func(in *cw.GetMetricStatisticsInput) { in.MetricName = aws.String("") }, "MissingParameter: The parameter MetricName is required."},
		{"a namespace that is none", func(in *cw.GetMetricStatisticsInput) { in.Namespace = aws.String(":N") }, "InvalidParameterValue: The value :N for parameter Namespace is invalid"},
		{"a unit that is none", func(in *cw.GetMetricStatisticsInput) { in.Unit = "Furlongs" }, "InvalidParameterValue: The value Furlongs for parameter Unit is invalid."},
		{"a dimension twice", func(in *cw.GetMetricStatisticsInput) { in.Dimensions = append(in.Dimensions, in.Dimensions...) }, "InvalidParameterValue: The parameter Dimensions holds b twice."},
		{"an empty dimension", func(in *cw.GetMetricStatisticsInput) { in.Dimensions[0].Value = aws.String("") }, "MissingParameter: The parameter Dimensions.member.1.Value is required."},
	} {
		_, err := client.GetMetricStatistics(t.Context(), query(tt.change))
		if got := code(err); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %s\nwant %s", tt.what, got, tt.want)
		}
	}
	if _, err := client.GetMetricStatistics(t.Context(), query(func(in *cw.GetMetricStatisticsInput) { in.Period = aws.Int32(1) })); err != nil {
		if _, ok := errors.AsType[*types.InvalidParameterValueException](err); !ok {
			t.Errorf("%T is not the API's own error: %v", err, err)
		}
	}
	if _, err := client.PutMetricAlarm(t.Context(), &cw.PutMetricAlarmInput{AlarmName: aws.String("a"), ComparisonOperator: "x", EvaluationPeriods: aws.Int32(1)}); !strings.Contains(code(err), "NotImplementedException: The local Firehose does not support CloudWatch's PutMetricAlarm.") {
		t.Errorf("PutMetricAlarm: %v", err)
	}
}

func dataQuery(id, name, stat string) types.MetricDataQuery {
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
		Metric: &types.Metric{Namespace: aws.String("N"), MetricName: &name, Dimensions: dims("a", "1", "b", "2")}, Period: aws.Int32(60), Stat: &stat,
	}}
}

func TestGetMetricData(t *testing.T) {
	s := &Store{}
	_, client := serve(t, s)
	now := time.Now().UTC().Truncate(time.Minute)
	at := func(minute int) time.Time { return now.Add(time.Duration(minute-10) * time.Minute) }
	for i := range 3 {
		s.Series(metric("m")).Add(at(i), float64(i+1))
		s.Series(metric("m")).Add(at(i), 0)
	}
	none := metric("m")
	none.Unit = ""
	s.Series(none).Add(at(0), 10)
	get := func(change func(*cw.GetMetricDataInput)) (*cw.GetMetricDataOutput, error) {
		in := &cw.GetMetricDataInput{
			StartTime: aws.Time(at(0)), EndTime: aws.Time(at(10)),
			MetricDataQueries: []types.MetricDataQuery{dataQuery("sum", "m", "Sum"), dataQuery("n", "m", "SampleCount"), dataQuery("nothing", "x", "Maximum")},
		}
		in.MetricDataQueries[1].MetricStat.Unit = types.StandardUnitCount
		in.MetricDataQueries[2].Label = aws.String("label")
		change(in)
		return client.GetMetricData(t.Context(), in)
	}
	out, err := get(func(*cw.GetMetricDataInput) {})
	if err != nil {
		t.Fatal(err)
	}
	result := func(id, label string, times []time.Time, values ...float64) types.MetricDataResult {
		return types.MetricDataResult{Id: &id, Label: &label, StatusCode: types.StatusCodeComplete, Timestamps: times, Values: values}
	}
	newest := []time.Time{at(2), at(1), at(0)}
	want := []types.MetricDataResult{result("sum", "m", newest, 3, 2, 11), result("n", "m", newest, 2, 2, 2), result("nothing", "label", []time.Time{})}
	want[2].Values = []float64{}
	if diff := gocmp.Diff(want, out.MetricDataResults, ignoreMeta); diff != "" || out.NextToken != nil {
		t.Errorf("token %v (-want +got):\n%s", out.NextToken, diff)
	}
	out, err = get(func(in *cw.GetMetricDataInput) {
		in.ScanBy, in.MetricDataQueries[1].ReturnData = types.ScanByTimestampAscending, aws.Bool(false)
	})
	if err != nil || len(out.MetricDataResults) != 2 || !slices.Equal(out.MetricDataResults[0].Values, []float64{11, 2, 3}) {
		t.Errorf("ascending: %+v, %v", out, err)
	}

	for _, tt := range []struct {
		what   string
		change func(*cw.GetMetricDataInput)
		want   string
	}{
		{"no query", func(in *cw.GetMetricDataInput) { in.MetricDataQueries = []types.MetricDataQuery{} }, "ValidationError: The collection MetricDataQueries must hold 1 to 500 queries, not 0."},
		{"501 queries", func(in *cw.GetMetricDataInput) {
			for i := range 498 {
				in.MetricDataQueries = append(in.MetricDataQueries, dataQuery(fmt.Sprint("q", i), "m", "Sum"))
			}
		}, "ValidationError: The collection MetricDataQueries must hold 1 to 500 queries, not 501."},
		{"500 queries", func(in *cw.GetMetricDataInput) {
			for i := range 497 {
				in.MetricDataQueries = append(in.MetricDataQueries, dataQuery(fmt.Sprint("q", i), "m", "Sum"))
			}
		}, "ok"},
		{"an id twice", func(in *cw.GetMetricDataInput) { in.MetricDataQueries[1].Id = aws.String("sum") }, "ValidationError: The values for parameter id in MetricDataQueries are not unique: sum."},
		{"an id of 256", func(in *cw.GetMetricDataInput) {
			in.MetricDataQueries[1].Id = aws.String(strings.Repeat("x", 256))
		}, `ValidationError: The value "xxx`},
		{"a bad id", func(in *cw.GetMetricDataInput) { in.MetricDataQueries[1].Id = aws.String("Sum") }, `ValidationError: The value "Sum" for parameter MetricDataQueries.member.2.Id is invalid`},
		{"two that are wrong", func(in *cw.GetMetricDataInput) {
			in.MetricDataQueries[0].MetricStat.Stat, in.MetricDataQueries[1].MetricStat.Stat = aws.String("Max"), aws.String("p99.9")
		}, "ValidationError: The value Max for parameter MetricDataQueries.member.1.MetricStat.Stat is not a valid statistic.\n" +
			"The local Firehose does not support MetricDataQueries.member.2.MetricStat.Stat p99.9: it keeps no single samples."},
		{"metric math", func(in *cw.GetMetricDataInput) {
			in.MetricDataQueries[1] = types.MetricDataQuery{Id: aws.String("e"), Expression: aws.String("sum/60")}
		}, "ValidationError: The local Firehose does not support MetricDataQueries.member.2.Expression"},
		{"neither", func(in *cw.GetMetricDataInput) { in.MetricDataQueries[1] = types.MetricDataQuery{Id: aws.String("e")} }, "ValidationError: The parameter MetricDataQueries.member.2.MetricStat is required."},
		{"a dynamic label", func(in *cw.GetMetricDataInput) { in.MetricDataQueries[0].Label = aws.String("${SUM}") }, "ValidationError: The local Firehose does not support dynamic labels"},
		{"another account", func(in *cw.GetMetricDataInput) { in.MetricDataQueries[0].AccountId = aws.String("1") }, "ValidationError: The local Firehose does not support MetricDataQueries.member.1.AccountId"},
		{"my account", func(in *cw.GetMetricDataInput) { in.MetricDataQueries[0].AccountId = aws.String(me.Account) }, "ok"},
		{"a period of two", func(in *cw.GetMetricDataInput) { in.MetricDataQueries[0].Period = aws.Int32(60) }, "ValidationError: The parameter MetricDataQueries.member.1.Period belongs to expressions"},
		{"10 seconds", func(in *cw.GetMetricDataInput) { in.MetricDataQueries[0].MetricStat.Period = aws.Int32(10) }, "ValidationError: The parameter MetricDataQueries.member.1.MetricStat.Period must be a multiple of 60 seconds, not 10;"},
		{"a bad scan", func(in *cw.GetMetricDataInput) { in.ScanBy = "Up" }, "ValidationError: The value Up for parameter ScanBy"},
		{"no datapoints", func(in *cw.GetMetricDataInput) { in.MaxDatapoints = aws.Int32(0) }, "ValidationError: The parameter MaxDatapoints must be 1 to 100800, not 0."},
		{"too many datapoints", func(in *cw.GetMetricDataInput) { in.MaxDatapoints = aws.Int32(100801) }, "ValidationError: The parameter MaxDatapoints"},
		{"no time", func(in *cw.GetMetricDataInput) { in.EndTime = in.StartTime }, "ValidationError: The parameter StartTime must be less than the parameter EndTime."},
		{"a bad token", func(in *cw.GetMetricDataInput) { in.NextToken = aws.String("x") }, "InvalidNextToken: "},
		{"another's token", func(in *cw.GetMetricDataInput) { in.NextToken = aws.String(pageToken{3, 7}.String()) }, "InvalidNextToken: "},
	} {
		_, err := get(tt.change)
		if got := code(err); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %s\nwant %s", tt.what, got, tt.want)
		}
	}
}

// TestGetMetricDataPages: every datapoint comes once, whatever the pages' size, and a
// page is never larger.
func TestGetMetricDataPages(t *testing.T) {
	s := &Store{}
	_, client := serve(t, s)
	now := time.Now().UTC().Truncate(time.Minute)
	points := map[string]int{"three": 3, "none": 0, "four": 4}
	for name, n := range points {
		for i := range n {
			s.Series(metric(name)).Add(now.Add(time.Duration(i-9)*time.Minute), float64(i))
		}
	}
	for _, scan := range []types.ScanBy{types.ScanByTimestampAscending, types.ScanByTimestampDescending} {
		for size := range int32(9) {
			in := &cw.GetMetricDataInput{
				StartTime: aws.Time(now.Add(-time.Hour)), EndTime: &now, ScanBy: scan,
				MetricDataQueries: []types.MetricDataQuery{dataQuery("three", "three", "Sum"), dataQuery("none", "none", "Sum"), dataQuery("four", "four", "Sum")},
			}
			if size > 0 {
				in.MaxDatapoints = &size
			}
			got, pages := map[string][]float64{}, 0
			for p := cw.NewGetMetricDataPaginator(client, in); p.HasMorePages(); pages++ {
				out, err := p.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				n := int32(0)
				for _, r := range out.MetricDataResults {
					got[*r.Id] = append(got[*r.Id], r.Values...)
					n += int32(len(r.Values))
					if partial := len(got[*r.Id]) < points[*r.Id]; (r.StatusCode == types.StatusCodePartialData) != partial {
						t.Errorf("%s, pages of %d: %s is %s with %d of %d", scan, size, *r.Id, r.StatusCode, len(got[*r.Id]), points[*r.Id])
					}
				}
				if size > 0 && (n > size || n == 0) {
					t.Errorf("%s, pages of %d: one has %d", scan, size, n)
				}
			}
			want := map[string][]float64{"three": {0, 1, 2}, "none": nil, "four": {0, 1, 2, 3}}
			if scan == types.ScanByTimestampDescending {
				slices.Reverse(want["three"])
				slices.Reverse(want["four"])
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("%s, pages of %d (-want +got):\n%s", scan, size, diff)
			}
			if wantPages := 1; size > 0 {
				wantPages = int((7 + size - 1) / size)
				if pages != wantPages {
					t.Errorf("%s, pages of %d: %d pages, want %d", scan, size, pages, wantPages)
				}
			}
		}
	}
}

func TestListMetrics(t *testing.T) {
	s := &Store{}
	_, client := serve(t, s)
	now := time.Now()
	add := func(at time.Time, k Key) { s.Series(k).add(at, now, set{0, 1, 1, 1, 1}) }
	for i, age := range []time.Duration{time.Minute, 4 * time.Hour, 13 * 24 * time.Hour, 15 * 24 * time.Hour} {
		k := metric("m")
		k.Dimensions = append(k.Dimensions, Dimension{"c", fmt.Sprint(i)})
		add(now.Add(-age), k)
		k.Unit = "Bytes" // the same metric
		add(now.Add(-age), k)
	}
	plain := metric("n")
	plain.Namespace, plain.Dimensions = "A", nil
	add(now, plain)
	other := metric("m")
	other.Account = "1"
	add(now, other)
	for _, tt := range []struct {
		what string
		in   cw.ListMetricsInput
		want string // name and c
	}{
		{"all", cw.ListMetricsInput{}, "n m0 m1 m2"},
		{"active", cw.ListMetricsInput{RecentlyActive: types.RecentlyActivePt3h}, "n m0"},
		{"namespace", cw.ListMetricsInput{Namespace: aws.String("A")}, "n"},
		{"name", cw.ListMetricsInput{MetricName: aws.String("m")}, "m0 m1 m2"},
		{"a dimension", cw.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("c")}}}, "m0 m1 m2"},
		{"its value", cw.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("c"), Value: aws.String("1")}, {Name: aws.String("a")}}}, "m1"},
		{"another value", cw.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("c"), Value: aws.String("7")}}}, ""},
		{"no such dimension", cw.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("d")}}}, ""},
	} {
		out, err := client.ListMetrics(t.Context(), &tt.in)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range out.Metrics {
			name := *m.MetricName
			for _, d := range m.Dimensions {
				if *d.Name == "c" {
					name += *d.Value
				}
			}
			got = append(got, name)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %s", tt.what, got, tt.want)
		}
	}
	for _, tt := range []struct {
		what string
		in   cw.ListMetricsInput
		want string
	}{
		{"activity", cw.ListMetricsInput{RecentlyActive: "PT1H"}, "InvalidParameterValue: The value PT1H for parameter RecentlyActive"},
		{"token", cw.ListMetricsInput{NextToken: aws.String("%")}, "InvalidParameterValue: The parameter NextToken"},
		{"accounts", cw.ListMetricsInput{IncludeLinkedAccounts: aws.Bool(true)}, "NotImplementedException: "},
		{"filters", cw.ListMetricsInput{Dimensions: slices.Repeat([]types.DimensionFilter{{Name: aws.String("c")}}, 11)}, "InvalidParameterValue: The collection Dimensions"},
		{"a filter", cw.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("")}}}, "MissingParameter: The parameter Dimensions.member.1.Name"},
	} {
		_, err := client.ListMetrics(t.Context(), &tt.in)
		if got := code(err); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %s\nwant %s", tt.what, got, tt.want)
		}
	}
}

func TestListMetricsPages(t *testing.T) {
	s := &Store{}
	_, client := serve(t, s)
	made := 0
	for _, n := range []int{0, 1, maxListed, maxListed + 1, 2*maxListed + 1} {
		for ; made < n; made++ {
			s.Series(metric(fmt.Sprint(made))).Add(time.Now(), 1)
		}
		seen, pages := map[string]bool{}, 0
		for p := cw.NewListMetricsPaginator(client, &cw.ListMetricsInput{}); p.HasMorePages(); pages++ {
			out, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Metrics) > maxListed {
				t.Errorf("a page of %d", len(out.Metrics))
			}
			for _, m := range out.Metrics {
				if seen[*m.MetricName] {
					t.Errorf("%s comes twice", *m.MetricName)
				}
				seen[*m.MetricName] = true
			}
		}
		if want := max(1, (n+maxListed-1)/maxListed); len(seen) != n || pages != want {
			t.Errorf("%d metrics in %d pages, want %d in %d", len(seen), pages, n, want)
		}
	}
}

func TestPutMetricData(t *testing.T) {
	s := &Store{}
	_, client := serve(t, s)
	now := time.Now().UTC()
	name := "m"
	datum := func(change func(*types.MetricDatum)) types.MetricDatum {
		d := types.MetricDatum{MetricName: &name, Dimensions: dims("b", "2", "a", "1"), Timestamp: &now, Unit: types.StandardUnitCount}
		change(&d)
		return d
	}
	put := func(data ...types.MetricDatum) error {
		_, err := client.PutMetricData(t.Context(), &cw.PutMetricDataInput{Namespace: aws.String("N"), MetricData: data})
		return err
	}
	value := func(v float64) func(*types.MetricDatum) { return func(d *types.MetricDatum) { d.Value = &v } }
	err := put(
		datum(value(3)),
		datum(func(d *types.MetricDatum) { d.Values, d.Counts = []float64{1, 5}, []float64{2, 1} }),
		datum(func(d *types.MetricDatum) { d.Values = []float64{-1, 0} }),
		datum(func(d *types.MetricDatum) {
			d.StatisticValues = &types.StatisticSet{SampleCount: aws.Float64(10), Sum: aws.Float64(20), Minimum: aws.Float64(1), Maximum: aws.Float64(9)}
			d.StorageResolution = aws.Int32(60)
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	minute := now.Truncate(time.Minute)
	want := []Datapoint{{minute, 16, 29, -1, 9, "Count"}}
	read := func() []Datapoint {
		return s.between(metric(name), now.Add(-15*24*time.Hour), now.Add(3*time.Hour), time.Minute)
	}
	if diff := gocmp.Diff(want, read()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	at := func(d time.Duration) func(*types.MetricDatum) {
		return func(m *types.MetricDatum) { m.Timestamp, m.Value = aws.Time(now.Add(d)), aws.Float64(1) }
	}
	const valid = "InvalidParameterValue: "
	for _, tt := range []struct {
		what   string
		change func(*types.MetricDatum)
		want   string
	}{
		{"two weeks ago", at(-14*24*time.Hour + time.Minute), "ok"},
		{"before", at(-14*24*time.Hour - time.Second), valid + "The parameter MetricData.member.1.Timestamp must specify a time within the past two weeks."},
		{"in two hours", at(2*time.Hour - time.Second), "ok"},
		{"after", at(2*time.Hour + time.Minute), valid + "The parameter MetricData.member.1.Timestamp must specify"},
		{"the largest", value(math.Ldexp(1, 360)), "ok"},
		{"larger", value(-math.Ldexp(1.0000001, 360)), valid + "The value -"},
		{"NaN", value(math.NaN()), valid + "The value NaN for parameter MetricData.member.1.Value is invalid"},
		{"infinite", value(math.Inf(1)), valid + "The value +Inf for parameter"},
		{"no value", func(*types.MetricDatum) {}, "MissingParameter: One of the parameters MetricData.member.1.Value, "},
		{"two values", func(d *types.MetricDatum) { d.Value, d.Values = aws.Float64(1), []float64{1} }, "InvalidParameterCombination: "},
		{"counts alone", func(d *types.MetricDatum) { d.Value, d.Counts = aws.Float64(1), []float64{1} }, "InvalidParameterCombination: "},
		{"too few counts", func(d *types.MetricDatum) { d.Values, d.Counts = []float64{1, 2}, []float64{1} }, valid},
		{"a count of 0", func(d *types.MetricDatum) { d.Values, d.Counts = []float64{1}, []float64{0} }, valid},
		{"a count of NaN", func(d *types.MetricDatum) { d.Values, d.Counts = []float64{1}, []float64{math.NaN()} }, valid},
		{"150 values", func(d *types.MetricDatum) { d.Values = make([]float64, 150) }, "ok"},
		{"151 values", func(d *types.MetricDatum) { d.Values = make([]float64, 151) }, valid + "The collection MetricData.member.1.Values"},
		{"no samples", func(d *types.MetricDatum) {
			d.StatisticValues = &types.StatisticSet{SampleCount: aws.Float64(0), Sum: aws.Float64(0), Minimum: aws.Float64(0), Maximum: aws.Float64(0)}
		}, valid},
		{"high resolution", func(d *types.MetricDatum) { d.Value, d.StorageResolution = aws.Float64(1), aws.Int32(1) }, "NotImplementedException: The local Firehose does not support MetricData.member.1.StorageResolution 1"},
		{"another resolution", func(d *types.MetricDatum) { d.Value, d.StorageResolution = aws.Float64(1), aws.Int32(5) }, valid},
		{"a unit that is none", func(d *types.MetricDatum) { d.Value, d.Unit = aws.Float64(1), "x" }, valid},
		{"no name", func(d *types.MetricDatum) { d.Value, d.MetricName = aws.Float64(1), aws.String("") }, "MissingParameter: "},
		{"a name of 255", func(d *types.MetricDatum) {
			d.Value, d.MetricName = aws.Float64(1), aws.String(strings.Repeat("x", 255))
		}, "ok"},
		{"a name of 256", func(d *types.MetricDatum) {
			d.Value, d.MetricName = aws.Float64(1), aws.String(strings.Repeat("x", 256))
		}, valid},
		{"a value of 1,025", func(d *types.MetricDatum) {
			d.Value, d.Dimensions[0].Value = aws.Float64(1), aws.String(strings.Repeat("x", 1025))
		}, valid},
		{"31 dimensions", func(d *types.MetricDatum) {
			d.Value = aws.Float64(1)
			for i := range 29 {
				d.Dimensions = append(d.Dimensions, dims(fmt.Sprint("d", i), "1")...)
			}
		}, valid + "The collection MetricData.member.1.Dimensions"},
	} {
		if got := code(put(datum(tt.change))); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %s\nwant %s", tt.what, got, tt.want)
		}
	}

	// All or nothing.
	before := read()
	if got := code(put(datum(value(1)), datum(value(math.NaN())))); !strings.HasPrefix(got, valid+"The value NaN for parameter MetricData.member.2.Value") {
		t.Errorf("one of two: %s", got)
	}
	if diff := gocmp.Diff(before, read()); diff != "" {
		t.Errorf("of a call that was refused something is stored:\n%s", diff)
	}
	many := slices.Repeat([]types.MetricDatum{datum(value(1))}, 1001)
	if got := code(put(many...)); !strings.HasPrefix(got, valid+"The collection MetricData must not have a size greater than 1000.") {
		t.Errorf("1,001 metrics: %s", got)
	}
	if err := put(many[:1000]...); err != nil { // the SDK sends this gzipped
		t.Errorf("1,000 metrics: %v", err)
	}
	for _, tt := range []struct {
		in   cw.PutMetricDataInput
		want string
	}{
		{cw.PutMetricDataInput{Namespace: aws.String("AWS/Firehose"), MetricData: many[:1]}, valid + "The value AWS/Firehose for parameter Namespace is invalid"},
		{cw.PutMetricDataInput{Namespace: aws.String(""), MetricData: many[:1]}, "MissingParameter: The parameter Namespace"},
		{cw.PutMetricDataInput{Namespace: aws.String("N")}, "MissingParameter: The parameter MetricData"},
		{cw.PutMetricDataInput{Namespace: aws.String("N"), EntityMetricData: []types.EntityMetricData{{}}}, "NotImplementedException: "},
	} {
		_, err := client.PutMetricData(t.Context(), &tt.in)
		if got := code(err); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%+v: %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

// TestProtocols says the same in all three protocols by hand.
func TestProtocols(t *testing.T) {
	s := &Store{}
	h := awsapi.New(awsapi.Config{Services: []*awsapi.Service{Service(s)}, NoAuth: true, Account: me.Account, Region: me.Region, Logger: slog.New(slog.DiscardHandler)})
	call := func(op, contentType string, body []byte, headers ...string) (int, string) {
		path := "/"
		if contentType == "application/cbor" {
			path = "/service/GraniteServiceVersion20100801/operation/" + op
		}
		r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		for pair := range slices.Chunk(headers, 2) {
			r.Header.Set(pair[0], pair[1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		answer, _ := io.ReadAll(w.Body)
		return w.Code, string(answer)
	}
	now := time.Now().UTC().Truncate(time.Minute)
	stamp := now.Format(time.RFC3339)
	form := func(pairs ...string) []byte {
		v := url.Values{"Version": {"2010-08-01"}}
		for pair := range slices.Chunk(pairs, 2) {
			v.Set(pair[0], pair[1])
		}
		return []byte(v.Encode())
	}
	const query, jsonType = "application/x-www-form-urlencoded", "application/x-amz-json-1.0"
	ids := regexp.MustCompile(`<RequestId>.*</RequestId>`)
	xmlOf := func(op, result string) string {
		return "<" + op + `Response xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/">` + result + "<ResponseMetadata>ID</ResponseMetadata></" + op + "Response>"
	}

	status, answer := call("", query, form("Action", "PutMetricData", "Namespace", "N", "MetricData.member.1.MetricName", "m", "MetricData.member.1.Value", "2.5",
		"MetricData.member.1.Timestamp", stamp, "MetricData.member.1.Dimensions.member.1.Name", "a", "MetricData.member.1.Dimensions.member.1.Value", "1"))
	if got := ids.ReplaceAllString(answer, "ID"); status != 200 || got != xmlOf("PutMetricData", "") {
		t.Errorf("put by Query: %d %s", status, got)
	}
	put, err := json.Marshal(map[string]any{"Namespace": "N", "MetricData": []any{map[string]any{
		"MetricName": "m", "Value": 2.5, "Timestamp": now.Unix(), "Dimensions": []any{map[string]string{"Name": "a", "Value": "1"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := call("", jsonType, put, "X-Amz-Target", "GraniteServiceVersion20100801.PutMetricData"); status != 200 || answer != "{}" {
		t.Errorf("put by JSON: %d %s", status, answer)
	}
	packed, err := cbor.Marshal(map[string]any{"Namespace": "N", "MetricData": []any{map[string]any{
		"MetricName": "m", "Value": 2.5, "Timestamp": cbor.Tag{Number: 1, Content: now.Unix()}, "Dimensions": []any{map[string]string{"Name": "a", "Value": "1"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := call("PutMetricData", "application/cbor", packed, "Smithy-Protocol", "rpc-v2-cbor"); status != 200 || answer != "" {
		t.Errorf("put by CBOR: %d %q", status, answer)
	}

	_, answer = call("", query, form("Action", "GetMetricStatistics", "Namespace", "N", "MetricName", "m", "StartTime", stamp, "EndTime", now.Add(time.Minute).Format(time.RFC3339),
		"Period", "60", "Statistics.member.1", "Sum", "Statistics.member.2", "SampleCount", "Dimensions.member.1.Name", "a", "Dimensions.member.1.Value", "1"))
	want := xmlOf("GetMetricStatistics", "<GetMetricStatisticsResult><Label>m</Label><Datapoints><member><Timestamp>"+stamp+"</Timestamp><SampleCount>3</SampleCount><Sum>7.5</Sum><Unit>None</Unit></member></Datapoints></GetMetricStatisticsResult>")
	if got := ids.ReplaceAllString(answer, "ID"); got != want {
		t.Errorf("statistics by Query:\n%s\nwant\n%s", got, want)
	}
	_, answer = call("", query, form("Action", "ListMetrics"))
	want = xmlOf("ListMetrics", "<ListMetricsResult><Metrics><member><Namespace>N</Namespace><MetricName>m</MetricName><Dimensions><member><Name>a</Name><Value>1</Value></member></Dimensions></member></Metrics></ListMetricsResult>")
	if got := ids.ReplaceAllString(answer, "ID"); got != want {
		t.Errorf("list by Query:\n%s\nwant\n%s", got, want)
	}
	status, answer = call("", query, form("Action", "PutMetricData", "Namespace", "AWS/X", "MetricData.member.1.MetricName", "m"))
	if status != 400 || !strings.Contains(answer, `<ErrorResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><Error><Type>Sender</Type><Code>InvalidParameterValue</Code>`) {
		t.Errorf("an error by Query: %d %s", status, answer)
	}
	if status, answer := call("", jsonType, []byte("{}"), "X-Amz-Target", "GraniteServiceVersion20100801.GetMetricData"); status != 400 || !strings.Contains(answer, `{"__type":"ValidationError","message":"The parameter StartTime is required.\nThe collection`) {
		t.Errorf("an error by JSON: %d %s", status, answer)
	}
}

// TestPutTooLarge: the limit is on what is sent.
func TestPutTooLarge(t *testing.T) {
	s := &Store{}
	h := awsapi.New(awsapi.Config{Services: []*awsapi.Service{Service(s)}, NoAuth: true, Logger: slog.New(slog.DiscardHandler)})
	body := `{"Namespace":"N","MetricData":[{"MetricName":"m","Value":1}]}`
	for size, want := range map[int]int{1 << 20: 200, 1<<20 + 1: 413} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body+strings.Repeat(" ", size-len(body))))
		r.Header.Set("X-Amz-Target", "GraniteServiceVersion20100801.PutMetricData")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%d bytes: %d %s", size, w.Code, w.Body)
		}
	}
}

// FuzzQueries: whatever comes in, the store is asked only for what it may be, and
// what it answers can be encoded.
func FuzzQueries(f *testing.F) {
	f.Add([]byte{0xbf, 0x66, 'P', 'e', 'r', 'i', 'o', 'd', 0x18, 60, 0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		var in getMetricStatisticsInput
		if cbor.Unmarshal(body, &in) == nil {
			if q, err := in.query(me); err == nil && (q.Period < time.Minute || q.Period%time.Minute != 0 || !q.Start.Before(q.End) || len(in.Statistics) < 1 || q.Namespace == "") {
				t.Errorf("%x is accepted as %+v", body, q)
			}
		}
		var data getMetricDataInput
		if cbor.Unmarshal(body, &data) == nil {
			if qs, err := data.queries(me); err == nil && (len(qs) < 1 || len(qs) > maxQueries) {
				t.Errorf("%x is accepted as %+v", body, qs)
			}
			_, _ = data.token()
		}
		var put putMetricDataInput
		if cbor.Unmarshal(body, &put) == nil {
			for i := range put.MetricData {
				d := &put.MetricData[i]
				if p, err := d.set("x"); err == nil && !(p.count > 0 && math.Abs(p.sum) < math.Inf(1) && p.min <= p.max) {
					t.Errorf("%x is accepted as %+v", body, p)
				}
			}
		}
	})
}
