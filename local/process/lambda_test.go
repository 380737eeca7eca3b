package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	gocmp "github.com/google/go-cmp/cmp"
)

func TestEvent(t *testing.T) {
	f := newFunction(t, echo)
	out, failed := run(t, f.chain(t, f.processor()), records("original", "")...)
	if diff := gocmp.Diff([]string{"original", ""}, datas(out)); diff != "" || failed != nil {
		t.Errorf("%s %v", diff, failed)
	}
	got := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`).ReplaceAllString(string(f.calls()[0]), "UUID")
	const want = `{"invocationId":"UUID","deliveryStreamArn":"` + streamARN + `","region":"eu-west-1","records":[` +
		`{"recordId":"r0","approximateArrivalTimestamp":1789014240448,"data":"b3JpZ2luYWw="},` +
		`{"recordId":"r1","approximateArrivalTimestamp":1789014240449,"data":""}]}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// fate is what became of a record: its data, or the code of its failure.
func fates(out []Record, failed []Failed) map[string]string {
	m := map[string]string{}
	for _, r := range out {
		m[r.ID] = string(r.Data)
	}
	for _, f := range failed {
		m[f.Record.ID] = f.Code
	}
	return m
}

// TestAnswers has answers for the records r0, "a", and r1, "b". None is asked for again.
func TestAnswers(t *testing.T) {
	list := func(rows ...any) any { return map[string]any{"records": rows} }
	b, none, nothing := row("r1", "Ok", "B"), map[string]any{}, map[string]string{}
	all := func(code string) map[string]string { return map[string]string{"r0": code, "r1": code} }
	one := func(fate string) map[string]string { return map[string]string{"r0": fate, "r1": "B"} }
	for name, test := range map[string]struct {
		body    any
		want    map[string]string
		message string // of the first failure
	}{
		"Ok":                     {list(row("r0", "Ok", "A"), b), one("A"), ""},
		"in another order":       {list(b, row("r0", "Ok", "A")), one("A"), ""},
		"Ok and empty":           {list(row("r0", "Ok", ""), b), one(""), ""},
		"Dropped":                {list(map[string]any{"recordId": "r0", "result": "Dropped"}, b), map[string]string{"r1": "B"}, ""},
		"all dropped":            {list(row("r0", "Dropped", ""), row("r1", "Dropped", "x")), nothing, ""},
		"unknown members":        {map[string]any{"records": []any{row("r0", "Ok", "A"), b}, "version": 2}, one("A"), ""},
		"ProcessingFailed":       {list(row("r0", "ProcessingFailed", "x"), b), one("Lambda.ProcessingFailedStatus"), "ProcessingFailed status set for record"},
		"a missing id":           {list(b), one("Lambda.MissingRecordId"), "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids."},
		"another id":             {list(row("r9", "Ok", "x"), b), one("Lambda.MissingRecordId"), ""},
		"an id more":             {list(row("r0", "Ok", "A"), b, row("r9", "Ok", "x")), one("A"), ""},
		"an id twice":            {list(row("r0", "Ok", "A"), b, row("r0", "Ok", "A")), one("Lambda.DuplicatedRecordId"), "Multiple records were returned with the same record Id. Ensure that the Lambda function returns a unique record Id for each record."},
		"an id three times":      {list(row("r0", "Ok", "A"), row("r0", "Dropped", ""), row("r0", "Ok", "A"), b), one("Lambda.DuplicatedRecordId"), ""},
		"no id":                  {list(map[string]any{"result": "Ok", "data": ""}, b), one("Lambda.MissingRecordId"), ""},
		"a member in other case": {list(map[string]any{"recordID": "r0", "result": "Ok", "data": ""}, b), one("Lambda.MissingRecordId"), ""},
		"Ok without data":        {list(map[string]any{"recordId": "r0", "result": "Ok"}, b), one("Lambda.InvalidReturnFormat"), noData.message},
		"data that is null":      {list(map[string]any{"recordId": "r0", "result": "Ok", "data": nil}, b), one("Lambda.InvalidReturnFormat"), ""},
		"another result":         {list(row("r0", "OK", "A"), b), all("Lambda.FunctionError"), "Check your function and make sure the output is in required format. In addition to that, make sure the processed records contain valid result status of Dropped, Ok, or ProcessingFailed"},
		"no result":              {list(map[string]any{"recordId": "r0", "data": ""}, b), all("Lambda.FunctionError"), ""},
		"no base64":              {list(map[string]any{"recordId": "r0", "result": "Ok", "data": "%%"}, b), all("Lambda.FunctionError"), ""},
		"no records":             {none, all("Lambda.MissingRecordId"), ""},
		"records that are null":  {map[string]any{"records": nil}, all("Lambda.MissingRecordId"), ""},
		"an empty list":          {list(), all("Lambda.MissingRecordId"), ""},
		"null":                   {"null", all("Lambda.MissingRecordId"), ""},
		"no JSON":                {"not json at all", all("Lambda.JsonProcessingException"), "There was an error parsing returned records from the Lambda function. Ensure that the returned records follow the status model required by Amazon Data Firehose."},
		"nothing":                {"", all("Lambda.JsonProcessingException"), ""},
		"two answers":            {`{"records":[]}{}`, all("Lambda.JsonProcessingException"), ""},
		"JSON within text":       {`"{\"records\":[]}"`, all("Lambda.JsonProcessingException"), ""},
		"records of other type":  {map[string]any{"records": "x"}, all("Lambda.JsonProcessingException"), ""},
		"an id of other type":    {list(map[string]any{"recordId": 1, "result": "Ok", "data": ""}, b), all("Lambda.JsonProcessingException"), ""},
		"data of other type":     {list(map[string]any{"recordId": "r0", "result": "Ok", "data": []int{1}}, b), all("Lambda.JsonProcessingException"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFunction(t, func(event) reply { return reply{body: test.body} })
			out, failed := run(t, f.chain(t, f.processor()), records("a", "b")...)
			if diff := gocmp.Diff(test.want, fates(out, failed)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n := len(f.calls()); n != 1 {
				t.Errorf("%d invocations", n)
			}
			if test.message != "" && failed[0].Message != test.message {
				t.Errorf("message %q, want %q", failed[0].Message, test.message)
			}
			for _, x := range failed {
				if raw := "ab"[x.Record.ID[1]-'0']; x.Type != "processing-failed" || x.LambdaARN != functionArn || x.Attempts != 1 || string(x.Record.Raw) != string(raw) {
					t.Errorf("%+v", x)
				}
			}
		})
	}
}

// TestProblems has invocations that fail every time.
func TestProblems(t *testing.T) {
	long := strings.Repeat(" ", longestAnswer-len(`{"records":[]}`)+1)
	for name, test := range map[string]struct {
		reply         reply
		code, message string
	}{
		"a function that fails":      {crashed, "Lambda.FunctionError", "The Lambda function was successfully invoked but it returned an error result."},
		"an answer that is too long": {reply{body: `{"records":[]}` + long}, "Lambda.FunctionError", "The Lambda function was successfully invoked but it returned an error result."},
		"no access":                  {refused(403, "AccessDeniedException", "User is not authorized"), "Lambda.InvokeAccessDenied", "Access was denied. Ensure that the access policy allows access to the Lambda function."},
		"no function":                {refused(404, "ResourceNotFoundException", "Function not found"), "Lambda.ResourceNotFound", "The specified Lambda function does not exist. Use a different function that does exist."},
		"too many":                   {refused(429, "TooManyRequestsException", "Rate Exceeded."), "Lambda.InvokeLimitExceeded", "The Lambda concurrent execution limit is exceeded. Increase the concurrent execution limit."},
		"no network for it":          {refused(502, "ENILimitReachedException:http://internal", "limit"), "Lambda.ENILimitReachedException", "limit"},
		"a failure of Lambda":        {reply{status: 500, body: "oops"}, "Lambda.ServiceException", "oops"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFunction(t, func(event) reply { return test.reply })
			out, failed := run(t, f.chain(t, f.processor()), records("a", "b")...)
			if len(out) > 0 || len(failed) != 2 {
				t.Fatalf("%d out, %d failed", len(out), len(failed))
			}
			for _, x := range failed {
				if x.Type != ProcessingFailed || x.Code != test.code || x.Message != test.message || x.Attempts != 4 || x.LambdaARN != functionArn {
					t.Errorf("%+v", x)
				}
			}
			checkRetries(t, f.calls(), 4)
		})
	}
}

// checkRetries: an invocation id for each attempt, and nothing else differs.
func checkRetries(t *testing.T, bodies [][]byte, want int) {
	t.Helper()
	ids, rests := map[string]bool{}, map[string]bool{}
	for _, b := range bodies {
		var e event
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatal(err)
		}
		ids[e.InvocationID] = true
		rests[strings.Replace(string(b), e.InvocationID, "", 1)] = true
	}
	if len(bodies) != want || len(ids) != want || len(rests) != 1 {
		t.Errorf("%d invocations with %d ids and %d contents, want %d", len(bodies), len(ids), len(rests), want)
	}
}

// longestAnswer is the "maximum allowed payload size" that Lambda tells.
const longestAnswer = 6291556

// TestLongestAnswer: an answer of 6 MiB and 100 bytes is still one.
func TestLongestAnswer(t *testing.T) {
	f := newFunction(t, func(e event) reply {
		text := `{"records":[{"recordId":"r0","result":"Ok","data":"QQ=="}]}`
		return reply{body: text + strings.Repeat(" ", longestAnswer-len(text))}
	})
	if out, _ := run(t, f.chain(t, f.processor()), records("a")...); len(out) != 1 || string(out[0].Data) != "A" {
		t.Errorf("%d records", len(out))
	}
}

// TestInvoked: each invocation is told, those that failed too.
func TestInvoked(t *testing.T) {
	n := 0
	f := newFunction(t, func(e event) reply {
		if n++; n == 1 {
			return crashed
		}
		return echo(e)
	})
	var told []bool
	queried := 0
	cfg := f.config(f.processor(), processor("MetadataExtraction", "MetadataExtractionQuery", "{k: .k}", "JsonParsingEngine", "JQ-1.6"))
	cfg.Invoked = func(took time.Duration, answered bool) {
		if took <= 0 {
			t.Errorf("it took %v", took)
		}
		told = append(told, answered)
	}
	cfg.Queried = func(time.Duration) { queried++ }
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if out, failed := run(t, c, records(`{"k":1}`, `{"k":2}`)...); len(out) != 2 {
		t.Errorf("%d records, failed: %+v", len(out), failed)
	}
	if !gocmp.Equal(told, []bool{false, true}) || queried != 1 {
		t.Errorf("invocations %v, %d runs of the query", told, queried)
	}
}

func TestRetries(t *testing.T) {
	for _, test := range []struct {
		retries string
		crashes int // then it answers ProcessingFailed
		calls   int
		code    string
	}{
		{"0", 1, 1, "Lambda.FunctionError"},
		{"1", 1, 2, "Lambda.ProcessingFailedStatus"},
		{"1", 2, 2, "Lambda.FunctionError"},
		{"3", 2, 3, "Lambda.ProcessingFailedStatus"},
		{"9", 99, 10, "Lambda.FunctionError"},
	} {
		t.Run(fmt.Sprintf("%s after %d", test.retries, test.crashes), func(t *testing.T) {
			n := 0
			f := newFunction(t, func(e event) reply {
				if n++; n <= test.crashes {
					return crashed
				}
				return e.answer(func(_ int, r eventRecord) any { return row(r.RecordID, "ProcessingFailed", "") })
			})
			_, failed := run(t, f.chain(t, f.processor("NumberOfRetries", test.retries)), records("a")...)
			if len(failed) != 1 || failed[0].Code != test.code || failed[0].Attempts != test.calls {
				t.Errorf("%+v", failed)
			}
			checkRetries(t, f.calls(), test.calls)
		})
	}
}

func TestPartitionKeys(t *testing.T) {
	answer := func(keys any) func(e event) reply {
		return func(e event) reply {
			return e.answer(func(_ int, r eventRecord) any {
				m := row(r.RecordID, "Ok", string(r.Data))
				m["metadata"] = map[string]any{"partitionKeys": keys}
				return m
			})
		}
	}
	for name, test := range map[string]struct {
		keys any
		want map[string]string
		code string
	}{
		"text":             {map[string]any{"a": "b", "c": "d"}, map[string]string{"a": "b", "c": "d"}, ""},
		"other values":     {map[string]any{"n": json.Number("12345678901234567890"), "t": true}, map[string]string{"n": "12345678901234567890", "t": "true"}, ""},
		"none":             {map[string]any{}, map[string]string{}, ""},
		"null":             {nil, nil, ""},
		"empty":            {map[string]any{"a": ""}, nil, codeMetadata},
		"a value of null":  {map[string]any{"a": nil}, nil, codeMetadata},
		"a list":           {map[string]any{"a": []int{1}}, nil, codeMetadata},
		"keys are no keys": {"a=b", nil, "Lambda.JsonProcessingException"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFunction(t, answer(test.keys))
			out, failed := run(t, f.chain(t, f.processor(), querying("{q: .q}")), records(`{"q":1}`)...)
			if test.code != "" {
				if len(out) > 0 || len(failed) != 1 || failed[0].Code != test.code {
					t.Errorf("%v %+v", out, failed)
				}
				return
			}
			if failed != nil || len(out) != 1 {
				t.Fatalf("%+v", failed)
			}
			if diff := gocmp.Diff(test.want, out[0].FromLambda); diff != "" || out[0].FromQuery["q"] != "1" {
				t.Errorf("(-want +got):\n%s\nof the query: %v", diff, out[0].FromQuery)
			}
		})
	}
	f := newFunction(t, answer(map[string]any{"a": ""}))
	cfg := f.config(f.processor())
	cfg.DynamicPartitioning = false
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if out, failed := run(t, c, records("x")...); len(out) != 1 || out[0].FromLambda != nil || failed != nil {
		t.Errorf("keys matter without dynamic partitioning: %v %v", out, failed)
	}
}

// TestBatches: the buffer's size bounds the records of an invocation, and
// Lambda's limit its length.
func TestBatches(t *testing.T) {
	text := func(n int) string { return strings.Repeat("x", n) }
	const mb = 1 << 20
	for name, test := range map[string]struct {
		size string // BufferSizeInMBs
		in   []string
		want []int // records of each invocation
	}{
		"one":                    {"1", []string{text(mb / 2), text(mb / 2)}, []int{2}},
		"a byte more":            {"1", []string{text(mb / 2), text(mb/2 + 1), "x"}, []int{1, 2}},
		"the smallest buffer":    {"0.2", []string{text(100000), text(109715), "x"}, []int{2, 1}},
		"longer than the buffer": {"0.2", []string{"x", text(mb), "x"}, []int{1, 1, 1}},
		"many":                   {"1", strings.Split(strings.Repeat("x", 3000), ""), []int{3000}},
		"none":                   {"1", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFunction(t, echo)
			out, failed := run(t, f.chain(t, f.processor("BufferSizeInMBs", test.size, "BufferIntervalInSeconds", "60")), records(test.in...)...)
			if diff := gocmp.Diff(test.in, datas(out)); diff != "" || failed != nil {
				t.Errorf("the records, or their order, are not those that came in: %v", failed)
			}
			var got []int
			for _, b := range f.calls() {
				var e event
				_ = json.Unmarshal(b, &e)
				got = append(got, len(e.Records))
			}
			if diff := gocmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLambdaLimit: "must be smaller than 6291456 bytes" says Lambda of an event.
func TestLambdaLimit(t *testing.T) {
	const most = 6291455
	f := newFunction(t, func(e event) reply {
		return e.answer(func(_ int, r eventRecord) any { return row(r.RecordID, "Ok", fmt.Sprint(len(r.Data))) })
	})
	c := f.chain(t, f.processor())
	long := Record{ID: "r", Arrival: arrival, Data: make([]byte, 4<<20)}
	row, _ := json.Marshal(map[string]any{"recordId": long.ID, "approximateArrivalTimestamp": arrival.UnixMilli(), "data": long.Data})
	long.ID += strings.Repeat("r", most-len(c.lambda.event(nil))-len(row))
	longer := long
	longer.ID += "r"
	out, failed := run(t, c, long, longer, Record{ID: "x", Arrival: arrival})
	want := map[string]string{long.ID: fmt.Sprint(4 << 20), longer.ID: "Lambda.RequestTooLargeException", "x": "0"}
	if diff := gocmp.Diff(want, fates(out, failed)); diff != "" {
		t.Errorf("%d out, %d failed", len(out), len(failed))
	}
	if calls := f.calls(); len(calls) != 2 || len(calls[0]) != most {
		t.Errorf("%d invocations, the first of %d bytes", len(calls), len(calls[0]))
	}
	if failed[0].Attempts != 1 || failed[0].LambdaARN != functionArn {
		t.Errorf("%d attempts", failed[0].Attempts)
	}
}

func TestEndpoints(t *testing.T) {
	var path string
	var signed bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, signed = r.URL.Path, r.Header.Get("Authorization") != ""
		_, _ = io.WriteString(w, `{"records":[{"recordId":"r0","result":"Ok","data":"QQ=="}]}`)
	}))
	defer srv.Close()
	for _, test := range []struct{ endpoint, want string }{
		{srv.URL, "/2015-03-31/functions/" + functionArn + "/invocations"},
		{srv.URL + "/", "/2015-03-31/functions/" + functionArn + "/invocations"},
		{srv.URL + "/lambda", "/lambda/2015-03-31/functions/" + functionArn + "/invocations"},
		{srv.URL + "/2015-03-31/functions/function/invocations", "/2015-03-31/functions/function/invocations"},
	} {
		f := &function{url: test.endpoint}
		cfg := f.config(f.processor())
		cfg.Lambda.Credentials = nil
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if out, _ := run(t, c, records("a")...); len(out) != 1 || path != test.want || signed {
			t.Errorf("%s calls %s (signed: %v), want %s", test.endpoint, path, signed, test.want)
		}
	}
}

type noCredentials struct{}

func (noCredentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, errors.New("no profile")
}

func TestUnreachable(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	f := &function{url: srv.URL}
	_, failed := run(t, f.chain(t, f.processor()), records("a")...)
	if len(failed) != 1 || failed[0].Code != "Lambda.ConnectionFailed" || failed[0].Attempts != 4 {
		t.Errorf("%+v", failed)
	}
	cfg := f.config(f.processor())
	var log bytes.Buffer
	cfg.Lambda.Credentials, cfg.Logger = noCredentials{}, slog.New(slog.NewTextHandler(&log, nil))
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, failed := run(t, c, records("a")...); len(failed) != 1 || failed[0].Code != "Lambda.InvokeAccessDenied" {
		t.Errorf("%+v", failed)
	}
	if got := log.String(); strings.Count(got, "level=WARN") != 3 || strings.Count(got, "level=ERROR") != 1 || !strings.Contains(got, "no profile") || !strings.Contains(got, "attempt=4") {
		t.Errorf("log: %s", got)
	}
}

func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		f := &function{}
		cfg := f.config(f.processor("NumberOfRetries", "7"))
		inMemory(t, &cfg, func(w http.ResponseWriter, r *http.Request) {
			at = append(at, time.Since(start))
			w.WriteHeader(500)
		})
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		_, failed := run(t, c, records("a")...)
		for i, want := range []float64{2, 4, 8, 16, 32, 32, 32} {
			if wait := (at[i+1] - at[i]).Seconds(); wait < want*0.85 || wait > want*1.15 {
				t.Errorf("wait %d is %.1f s, want %v and 15 %% more or less", i, wait, want)
			}
		}
		if len(at) != 8 || !failed[0].Ended.Equal(start.Add(at[7])) {
			t.Errorf("%d invocations, the last after %v; ended %v", len(at), at[7], failed[0].Ended)
		}
	})
}

func TestTimeout(t *testing.T) {
	for _, slow := range []string{"headers", "body"} {
		t.Run(slow, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				f := &function{}
				cfg := f.config(f.processor("NumberOfRetries", "0"))
				inMemory(t, &cfg, func(w http.ResponseWriter, r *http.Request) {
					if slow == "body" {
						w.WriteHeader(200)
						w.(http.Flusher).Flush()
					}
					<-r.Context().Done()
				})
				c, err := New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				_, failed := run(t, c, records("a")...)
				if len(failed) != 1 || failed[0].Code != "Lambda.FunctionTimedOut" || failed[0].Message != "The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function." {
					t.Fatalf("%+v", failed)
				}
				if took := time.Since(start); took != 5*time.Minute {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestInterrupted: the end of the context ends an invocation and a wait, and
// decides nothing.
func TestInterrupted(t *testing.T) {
	for name, test := range map[string]struct {
		retries string
		hang    bool
	}{
		"while it waits":                      {"3", false},
		"while it is asked":                   {"3", true},
		"while it is asked for the last time": {"0", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &function{}
				cfg := f.config(f.processor("NumberOfRetries", test.retries))
				inMemory(t, &cfg, func(w http.ResponseWriter, r *http.Request) {
					if test.hang {
						<-r.Context().Done()
					}
					w.WriteHeader(500)
				})
				c, err := New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				out, failed, err := c.Run(ctx, records("a"))
				if !errors.Is(err, context.DeadlineExceeded) || out != nil || failed != nil || time.Since(start) != time.Second {
					t.Errorf("%v %v %v after %v", out, failed, err, time.Since(start))
				}
			})
		})
	}
}

// FuzzDecodeAnswer: whatever a function answers, each record has a fate.
func FuzzDecodeAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"records":[{"recordId":"r0","result":"Ok","data":"QQ==","metadata":{"partitionKeys":{"a":"b"}}}]}`,
		`{"records":[{"recordId":"r0","result":"Dropped"},{"recordId":"r0","result":"ProcessingFailed"}]}`,
		`{"records":[null]}`, `{}`, `null`, `[`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		l := &lambda{arn: functionArn, cfg: Config{DynamicPartitioning: true}}
		out, failed := l.settle(records("a", "b"), answer, 1)
		results, _ := decodeAnswer(answer)
		fates := len(out) + len(failed)
		for _, id := range []string{"r0", "r1"} {
			if res := results[id]; res != nil && !res.twice && res.status == "Dropped" {
				fates++
			}
		}
		if fates != 2 {
			t.Errorf("%d out, %d failed", len(out), len(failed))
		}
		for _, x := range failed {
			if x.Code == "" || x.Message == "" {
				t.Errorf("%+v", x)
			}
		}
	})
}
