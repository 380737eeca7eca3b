package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/internal/ui"
)

// checkSettings reads the settings: without them nothing else can be looked at.
func (c *checkup) checkSettings(ctx context.Context) {
	cfg, err := c.control(ctx)
	if err != nil {
		c.trouble(ctx, statusFailed, err, "")
		c.lacks[needSettings] = "the AWS settings can't be read"
		return
	}
	c.cfg = cfg
	profile := cmp.Or(c.profile, os.Getenv("AWS_PROFILE"), "default")
	if cfg.Region == "" {
		c.trouble(ctx, statusFailed, errors.New("no AWS region"), "")
		c.lacks[needSettings] = "there is no AWS region"
		return
	}
	from := "of the profile"
	for _, name := range []string{"AWS_DEFAULT_REGION", "AWS_REGION"} {
		if os.Getenv(name) == cfg.Region {
			from = "by " + name
		}
	}
	if c.region != "" {
		from = "by --region"
	}
	c.ok("region %s, %s; profile %s", cfg.Region, from, profile)
}

// sources are the SDK's names of where credentials come from, in words.
var sources = map[string]string{
	"EnvConfigCredentials":        "the environment, AWS_ACCESS_KEY_ID",
	"EC2RoleProvider":             "the instance's role",
	"CredentialsEndpointProvider": "the container's role",
	"SSOProvider":                 "IAM Identity Center (SSO)",
	"AssumeRoleProvider":          "a role that is assumed",
	"WebIdentityCredentials":      "a role that is assumed by a token",
	"ProcessProvider":             "a process that the profile names",
}

func (c *checkup) checkCredentials(ctx context.Context) {
	got, err := c.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		c.lacks[needCredentials] = "there are no credentials"
		c.trouble(ctx, statusFailed, fmt.Errorf("get AWS credentials: %w", err), "")
		return
	}
	source := cmp.Or(sources[got.Source], strings.Replace(got.Source, "SharedConfigCredentials: ", "the profile in ", 1))
	left := time.Until(got.Expires)
	switch {
	case !got.CanExpire:
		c.ok("from %s", source)
	case left <= 0:
		c.lacks[needCredentials] = "the credentials have expired"
		c.fail("get new ones, as with aws sso login", "from %s, they expired %s ago", source, ui.Duration(-left))
	case left < 5*time.Minute:
		c.warn("get new ones soon, where the AWS SDK can't by itself", "from %s, they expire in %s", source, ui.Duration(left))
	default:
		c.ok("from %s, they expire in %s", source, ui.Duration(left))
	}
}

// service is one that hydrant calls.
type service struct {
	name, env string // env is what its AWS_ENDPOINT_URL_ ends with
	user      string // what needs it; all need Firehose
	call      func(context.Context, aws.Config) error
}

var services = []service{
	{"Firehose", "FIREHOSE", "", func(ctx context.Context, cfg aws.Config) error {
		_, err := firehose.NewFromConfig(cfg).ListDeliveryStreams(ctx, &firehose.ListDeliveryStreamsInput{})
		return err
	}},
	{"CloudWatch", "CLOUDWATCH", "hydrant metrics", func(ctx context.Context, cfg aws.Config) error {
		_, err := cloudwatch.NewFromConfig(cfg).ListMetrics(ctx, &cloudwatch.ListMetricsInput{})
		return err
	}},
	{"CloudWatch Logs", "CLOUDWATCH_LOGS", "hydrant logs and --log-group", func(ctx context.Context, cfg aws.Config) error {
		_, err := cloudwatchlogs.NewFromConfig(cfg).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{})
		return err
	}},
	{"S3", "S3", "hydrant scenario --stream", func(ctx context.Context, cfg aws.Config) error {
		_, err := s3.NewFromConfig(cfg).ListBuckets(ctx, &s3.ListBucketsInput{})
		return err
	}},
	{"STS", "STS", "this check alone", func(ctx context.Context, cfg aws.Config) error {
		_, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		return err
	}},
}

// endpoint is where some services are.
type endpoint struct {
	url      string
	sources  []string // the settings that say so
	services []service
	answer   answer
	err      error
}

// each joins what f says of each service.
func (e *endpoint) each(f func(service) string) string {
	var list []string
	for _, s := range e.services {
		list = append(list, f(s))
	}
	return strings.Join(list, ", ")
}

func (e *endpoint) String() string {
	names := e.each(func(s service) string { return s.name })
	if e.url == "" {
		return names
	}
	return fmt.Sprintf("%s at %s (%s)", names, e.url, strings.Join(e.sources, ", "))
}

// checkEndpoints looks which endpoints are in force, and whether they answer HTTP.
func (c *checkup) checkEndpoints(ctx context.Context) {
	c.endpoints = map[string]string{}
	var list []*endpoint
	for _, s := range services {
		at, err := urlOf(ctx, c.cfg, &s)
		if err != nil {
			c.unreachable(ctx, &endpoint{services: []service{s}, err: err})
			continue
		}
		c.endpoints[s.name] = at
		i := slices.IndexFunc(list, func(e *endpoint) bool { return e.url == at })
		if i < 0 {
			i = len(list)
			list = append(list, &endpoint{url: at})
		}
		e, source := list[i], c.endpointSource(s.env, at)
		e.services = append(e.services, s)
		if !slices.Contains(e.sources, source) {
			e.sources = append(e.sources, source)
		}
	}
	var wg sync.WaitGroup
	for _, e := range list {
		wg.Go(func() { e.answer, e.err = reach(ctx, c.cfg, e.url) })
	}
	wg.Wait()
	for _, e := range list {
		if e.err != nil {
			c.unreachable(ctx, e)
			continue
		}
		c.ok("%s: %s", e, e.answer.how)
		if e.services[0].name == needFirehose && e.answer.dated {
			c.ahead, c.clockKnown = e.answer.ahead, true
		}
	}
}

// unreachable tells of services that nothing can be asked of.
func (c *checkup) unreachable(ctx context.Context, e *endpoint) {
	cause, hint := c.explained(ctx, e.err)
	if failed, ok := errors.AsType[*url.Error](e.err); ok && ctx.Err() == nil {
		cause = failed.Err.Error() // it has the URL, too
	}
	status := statusWarning
	for _, s := range e.services {
		c.lacks[s.name] = s.name + " can't be reached"
		if s.name == needFirehose {
			status = statusFailed
		}
	}
	if hint == "" || strings.Contains(hint, "AWS_ENDPOINT_URL_FIREHOSE") {
		settings := e.each(func(s service) string { return "AWS_ENDPOINT_URL_" + s.env })
		hint = "check the network, any proxy, the region and the endpoint (--endpoint-url, " + settings + ")"
	}
	if status == statusWarning {
		cause += "; it is needed by " + e.each(func(s service) string { return s.user })
	}
	c.add(status, hint, "%s: %s", e, cause)
}

// urlOf is where the SDK would send a service's calls.
func urlOf(ctx context.Context, cfg aws.Config, s *service) (at string, err error) {
	cfg.Credentials = credentials.NewStaticCredentialsProvider("none", "none", "")
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	cfg.APIOptions = nil // it is no call to log
	cfg.HTTPClient = smithyhttp.ClientDoFunc(func(r *http.Request) (*http.Response, error) {
		at = r.URL.Scheme + "://" + r.URL.Host
		return nil, errors.New("it is only to be known where the call goes")
	})
	if err = s.call(ctx, cfg); at != "" {
		return at, nil
	}
	return "", err
}

// endpointSource is the setting that an endpoint comes from, in the SDK's order.
func (c *checkup) endpointSource(env, at string) string {
	own := "AWS_ENDPOINT_URL_" + env
	switch {
	case os.Getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") == "true":
	case c.endpoint != "" && (env == "FIREHOSE" || os.Getenv(own) == ""): // it has set the variables
		return "--endpoint-url"
	case os.Getenv(own) != "":
		return own
	case os.Getenv("AWS_ENDPOINT_URL") != "":
		return "AWS_ENDPOINT_URL"
	case !isAWS(at):
		return "endpoint_url of the profile"
	}
	return "AWS's own"
}

// isAWS tells of an endpoint whether it is AWS's.
func isAWS(at string) bool {
	for _, domain := range []string{".amazonaws.com", ".api.aws", ".amazonaws.com.cn", ".api.amazonwebservices.com.cn"} {
		if strings.HasSuffix(at, domain) {
			return true
		}
	}
	return false
}

// answer is how an endpoint has answered.
type answer struct {
	how   string
	ahead time.Duration // of our clock
	dated bool
}

// reach asks an endpoint for anything at all, by the SDK's own HTTP client, with its
// certificates and proxy. Whatever it answers will do.
func reach(ctx context.Context, cfg aws.Config, at string) (answer, error) {
	var address, secured string
	began := time.Now()
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { address = i.Conn.RemoteAddr().String() },
		TLSHandshakeDone: func(s tls.ConnectionState, err error) {
			if err == nil {
				secured = ", " + tls.VersionName(s.Version)
			}
		},
	}), http.MethodGet, at+"/", nil)
	if err != nil {
		return answer{}, err
	}
	resp, err := firehose.NewFromConfig(cfg).Options().HTTPClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	took := time.Since(began)
	a := answer{how: fmt.Sprintf("connected to %s%s, answered in %s", address, secured, ui.Duration(took))}
	if there, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		a.ahead, a.dated = began.Add(took/2).Sub(there), true
	}
	return a, nil
}

// Bounds of the difference of clocks. AWS takes signatures that are up to 15 minutes off,
// 5 for some services.
const (
	clockWarning = time.Minute
	clockFailure = 5 * time.Minute
)

func (c *checkup) checkClock(context.Context) {
	const remedy = "set this machine's clock, as by NTP: AWS takes no signature that is minutes off its own time"
	off, way := c.ahead, "ahead of"
	if off < 0 {
		off, way = -off, "behind"
	}
	switch {
	case !c.clockKnown:
		c.add(statusSkipped, "", "not checked: the endpoint's answer has no date")
	case off >= clockFailure:
		c.fail(remedy, "this machine's clock is %s %s the service's", ui.Duration(off), way)
	case off >= clockWarning:
		c.warn(remedy, "this machine's clock is %s %s the service's", ui.Duration(off), way)
	case off < 2*time.Second: // the service's has whole seconds
		c.ok("as the service's")
	default:
		c.ok("%s %s the service's", ui.Duration(off), way)
	}
}

// badIdentity are codes that say that no call of these credentials will be taken.
var badIdentity = []string{
	"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSignatureException",
	"ExpiredToken", "ExpiredTokenException", "AuthFailure", "InvalidToken",
}

// refused notes that the credentials are refused, if err says so: nothing that needs
// them has to be tried any more.
func (c *checkup) refused(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	if ok = ok && slices.Contains(badIdentity, api.ErrorCode()); ok {
		c.lacks[needCredentials] = "the credentials are refused"
	}
	return ok
}

func (c *checkup) checkIdentity(ctx context.Context) {
	if why := c.lacks["STS"]; why != "" {
		c.add(statusSkipped, "", "not checked: %s", why)
		return
	}
	out, err := sts.NewFromConfig(c.cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err == nil {
		c.account = aws.ToString(out.Account)
		c.ok("account %s, %s", c.account, aws.ToString(out.Arn))
		return
	}
	if c.refused(err) {
		c.trouble(ctx, statusFailed, fmt.Errorf("the credentials are refused: %w", err), "")
		return
	}
	c.trouble(ctx, statusWarning, fmt.Errorf("whose credentials these are can't be told: %w", err), "nothing but this check needs it")
}

// probe is a call that other verbs make.
type probe struct {
	action, service string
	user            string // the verbs
	call            func(context.Context) error
	err             error
}

// checkPermissions makes each read call that the other verbs need. What goes wrong with a
// bucket or a log for other reasons than a permission is for later checks to tell.
func (c *checkup) checkPermissions(ctx context.Context) {
	probes := c.probes()
	var wg sync.WaitGroup
	for _, p := range probes {
		wg.Go(func() { p.err = p.call(ctx) })
	}
	wg.Wait()
	var may []string
	for _, p := range probes {
		switch {
		case p.err == nil:
			may = append(may, p.action)
		case admin.IsDenied(p.err):
			cause, _ := c.explained(ctx, p.err)
			c.warn("the caller's IAM policies must allow "+p.action, "%s is denied, which %s needs: %s", p.action, p.user, cause)
		case p.service == needFirehose || p.service == "CloudWatch":
			c.trouble(ctx, statusWarning, fmt.Errorf("%s can't be tried: %w", p.action, p.err), "")
		}
	}
	if len(may) > 0 {
		c.ok("may call %s", strings.Join(slices.Compact(may), ", "))
	}
}

func (c *checkup) probes() (list []*probe) {
	add := func(action, service, user string, call func(context.Context) error) {
		if c.lacks[service] == "" {
			list = append(list, &probe{action: action, service: service, user: user, call: call})
		}
	}
	fh := firehose.NewFromConfig(c.cfg)
	add("firehose:ListDeliveryStreams", needFirehose, "hydrant streams list", func(ctx context.Context) error {
		for _, err := range admin.Streams(ctx, fh) {
			return err
		}
		return nil
	})
	add("cloudwatch:GetMetricData", "CloudWatch", "hydrant metrics", func(ctx context.Context) error {
		now := time.Now()
		_, err := admin.MetricSums(ctx, cloudwatch.NewFromConfig(c.cfg), cmp.Or(c.stream, "none"), now.Add(-time.Minute), now, "IncomingRecords")
		return err
	})
	if c.description == nil {
		return list
	}
	add("firehose:DescribeDeliveryStream", needFirehose, "packing", func(context.Context) error { return nil }) // it was made
	add("firehose:ListTagsForDeliveryStream", needFirehose, "hydrant streams describe", func(ctx context.Context) error {
		for _, err := range admin.Tags(ctx, fh, aws.ToString(c.description.DeliveryStreamName)) {
			return err
		}
		return nil
	})
	for _, l := range admin.ErrorLogs(c.description) {
		add("logs:FilterLogEvents", "CloudWatch Logs", "hydrant logs", func(ctx context.Context) error {
			for _, err := range admin.LogEvents(ctx, cloudwatchlogs.NewFromConfig(c.cfg), admin.LogQuery{Group: l.Group, Stream: l.Stream, From: time.Now().Add(-time.Minute)}) {
				return err
			}
			return nil
		})
	}
	for _, bucket := range bucketsOf(c.description) {
		add("s3:ListBucket", "S3", "hydrant scenario --stream", func(ctx context.Context) error { return c.listBucket(ctx, bucket) })
	}
	return list
}

// listBucket looks whether a bucket can be listed.
func (c *checkup) listBucket(ctx context.Context, bucket string) error {
	_, err := admin.S3(c.cfg).ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, MaxKeys: aws.Int32(1)})
	return err
}
