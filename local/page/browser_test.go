package page_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/hydrant-go/hydrant/internal/keepbody"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/server"
)

const hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`

// start serves a local Firehose, and gives a client of it and its URL.
func start(t *testing.T) (*firehose.Client, *httptest.Server) {
	t.Helper()
	backend, err := local.New(local.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(backend.Handler(server.Config{NoAuth: true}))
	t.Cleanup(func() {
		srv.Close()
		if err := backend.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return firehose.New(firehose.Options{
		Region: "eu-west-1", BaseEndpoint: &srv.URL, Credentials: aws.AnonymousCredentials{}, RetryMaxAttempts: 1,
		HTTPClient: keepbody.Client{HTTPClient: srv.Client()},
	}), srv
}

func create(t *testing.T, client *firehose.Client, name string) {
	t.Helper()
	_, err := client.CreateDeliveryStream(t.Context(), &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: &name,
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			RoleARN: aws.String("arn:aws:iam::000000000000:role/firehose"), BucketARN: aws.String("arn:aws:s3:::bucket"),
			BufferingHints: &types.BufferingHints{SizeInMBs: aws.Int32(1), IntervalInSeconds: aws.Int32(300)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// put puts 20 records every 20 ms until stop, which waits for its end.
func put(t *testing.T, client *firehose.Client, name string) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	records := []types.Record{{Data: []byte(hostile + "\n")}}
	for range 19 {
		records = append(records, types.Record{Data: []byte("{\"n\":1}\n")})
	}
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			_, err := client.PutRecordBatch(ctx, &firehose.PutRecordBatchInput{DeliveryStreamName: &name, Records: records})
			if err != nil && ctx.Err() == nil {
				t.Errorf("put: %v", err)
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

const (
	fact      = `Number(document.querySelector('[data-fact="%s"] dd').textContent.replaceAll(',', ''))`
	throttled = `document.querySelector('#plot-records [data-series=throttled]').textContent`
)

func factOf(name string) string { return strings.Replace(fact, "%s", name, 1) }

func TestInABrowser(t *testing.T) {
	t.Parallel()
	b := startBrowser(t)
	client, srv := start(t)
	b.call("POST", "/url", object{"url": srv.URL + "/"}, nil)

	b.until("it tells how to connect", `document.querySelector('#first pre')?.textContent.includes('AWS_ENDPOINT_URL='+location.origin) && !document.querySelector('#first').hidden`)
	create(t, client, "logs")
	create(t, client, "other")
	b.until("the streams are in the list", `document.querySelector('#streams').innerText.includes('logs') && document.querySelector('#first').hidden`)

	stop := put(t, client, "logs")
	defer stop()
	b.until("records are accepted", factOf("Records accepted")+" > 0")
	before := eval[float64](b, factOf("Records accepted"))
	b.until("the figure grows", factOf("Records accepted")+" > "+jsNumber(before))
	b.until("the plot has a rate", `document.querySelector('#plot-records [role=img]').plot.data[1].some((v) => v > 0)`)

	throttle(t, b)
	deliver(t, b)
	stop()
	b.quiet(srv.URL)
}

func jsNumber(v float64) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// throttle selects a stream by the keyboard, and gives it a quota by the slider.
func throttle(t *testing.T, b *browser) {
	t.Helper()
	const down, home, end = "\ue015", "\ue011", "\ue010"
	b.keys("#streams-scroll", down)
	b.until("the stream is selected", `document.querySelector('#chosen-h').textContent === 'logs'`)
	if got := eval[string](b, throttled); got != "0/s" {
		t.Errorf("without a quota %q is throttled, want 0/s", got)
	}
	b.click("#quota [value=one]")
	b.keys("#quota-records", home)
	b.until("records are throttled", `parseFloat(`+throttled+`) > 0 && document.querySelector('#plot-records [role=img]').plot.data[2].some((v) => v > 0)`)
	quotas := eval[map[string]*local.Quota](b, `fetch('/_hydrant/state').then((r) => r.json()).then((s) => Object.fromEntries(s.streams.map((s) => [s.name, s.quota ?? null])))`)
	if q := quotas["logs"]; q == nil || *q != (local.Quota{Records: 1}) || quotas["other"] != nil {
		t.Errorf("the slider set %v, want logs to take 1 record a second and other without its own", quotas)
	}
	b.keys("#quota-records", end)
	b.until("nothing is throttled any more", throttled+` === '0/s'`)
	b.click("#quota-actions button:last-child")
	b.until("it has no quota of its own", `document.querySelector('#quota-note').textContent.includes('no quota of its own')`)
}

// deliver flushes by the button, and looks for the first line as text.
func deliver(t *testing.T, b *browser) {
	t.Helper()
	b.until("a buffer fills up", `document.querySelector('#buffers progress')?.value > 0`)
	b.click("#flush")
	b.until("the delivery is shown", `document.querySelector('#deliveries pre') !== null`)
	if got := eval[string](b, `document.querySelector('#deliveries pre').textContent`); !strings.HasPrefix(got, hostile+"\n") {
		t.Errorf("the first lines are %q, want to begin with %q", got, hostile)
	}
	if got := eval[string](b, `document.title + document.querySelectorAll('#deliveries img, #deliveries script').length`); got != "Hydrant local0" {
		t.Errorf("title and elements made of records: %q, want none made and the title untouched", got)
	}
}

// quiet checks that nothing was logged to the console, and that no request left for
// another host than url's.
func (b *browser) quiet(address string) {
	b.t.Helper()
	for _, l := range b.logged("browser") {
		b.t.Errorf("console: %s %s", l.Level, l.Message)
	}
	want, _ := url.Parse(address)
	requests := 0
	for _, l := range b.logged("performance") {
		var entry struct {
			Message struct {
				Method string
				Params struct{ Request struct{ URL string } }
			}
		}
		if err := json.Unmarshal([]byte(l.Message), &entry); err != nil {
			b.t.Fatal(err)
		}
		target := entry.Message.Params.Request.URL
		if entry.Message.Method != "Network.requestWillBeSent" || !strings.HasPrefix(target, "http") && !strings.HasPrefix(target, "ws") {
			continue // such as chrome:// of the empty first tab
		}
		requests++
		if u, err := url.Parse(target); err != nil || u.Host != want.Host {
			b.t.Errorf("a request for %s", target)
		}
	}
	if requests < 10 {
		b.t.Errorf("the log has %d requests: it is not one of the page's", requests)
	}
}

// Of many streams few are drawn; errors are shown; the page waits for a server that
// is gone.
func TestManyStreamsAndErrors(t *testing.T) {
	t.Parallel()
	b := startBrowser(t)
	client, srv := start(t)
	for i := range 300 {
		create(t, client, "stream-"+jsNumber(float64(1000+i)))
	}
	b.call("POST", "/url", object{"url": srv.URL + "/"}, nil)
	b.until("the streams are counted", `document.querySelector('#streams-count').textContent === '300'`)
	const drawn = `document.querySelectorAll('#streams tbody tr').length`
	if n := eval[int](b, drawn); n > 30 {
		t.Errorf("%d rows are drawn of 300 streams, want the visible ones", n)
	}
	b.keys("#streams-scroll", "\ue010") // End
	b.until("the last one is selected and drawn", `document.querySelector('#streams tr[aria-selected=true]').innerText.includes('stream-1299') && `+drawn+` < 30`)
	b.keys("#filter", "1234")
	b.until("the list is filtered", `document.querySelector('#streams-count').textContent === '1 of 300' && document.querySelector('#streams tbody').innerText.includes('stream-1234')`)

	// Shares that can't stand together.
	b.keys("#faults-error", "\ue010")
	b.keys("#faults-reset_after", "\ue010")
	b.until("the error is shown with its text", `!document.querySelector('#alert').hidden && document.querySelector('#alert').innerText.includes('ResetAfter')`)
	b.until("the slider goes back to what holds", `document.querySelector('#faults-reset_after').value === '0' && document.querySelector('#faults-error').value !== '0'`)
	b.click("#faults-clear")
	b.until("there are no faults", `document.querySelector('#faults-error').value === '0'`)

	b.click("#reset")
	b.until("it asks first", `document.querySelector('#confirm').open && document.activeElement.id === 'confirm-no' && document.querySelector('#confirm').innerText.includes('300')`)
	b.click("#confirm-yes")
	b.until("there is no stream", `!document.querySelector('#first').hidden`)

	srv.CloseClientConnections()
	srv.Close()
	b.until("it tells that the server is gone", `document.querySelector('#link').textContent.includes('gone')`)
	again := httptest.NewUnstartedServer(srv.Config.Handler)
	again.Listener.Close()
	var err error
	if again.Listener, err = net.Listen("tcp", srv.Listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	again.Start()
	defer again.Close()
	b.until("it is back", `document.querySelector('#link').textContent === 'live'`)
}
