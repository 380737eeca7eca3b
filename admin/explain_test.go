package admin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/smithy-go"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/wire"
)

// checkExplained wants cause as the first lines and remedy in the hint, "" for
// none, and nothing of the SDK's wrapping.
func checkExplained(t *testing.T, err error, cause, remedy string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error to explain")
	}
	e := admin.Explain(err)
	got, hint, found := strings.Cut(e.Error(), "\nhint: ")
	if got != cause {
		t.Errorf("cause of %q:\n got %q\nwant %q", err, got, cause)
	}
	if found != (remedy != "") || !strings.Contains(hint, remedy) || strings.Contains(hint, "\n") {
		t.Errorf("%q: hint %q, want %q", cause, hint, remedy)
	}
	if !errors.Is(e, err) {
		t.Errorf("%q is not in the chain", err)
	}
}

func describe(t *testing.T, cfg aws.Config) error {
	t.Helper()
	_, err := admin.Describe(t.Context(), firehose.NewFromConfig(cfg), "s")
	return err
}

func TestExplainAnswers(t *testing.T) {
	for _, tc := range []struct {
		awsError
		remedy string
	}{
		{awsError{400, "AccessDeniedException", "User: arn:aws:iam::1:user/u is not authorized to perform: iam:PassRole on resource: x"}, "allow iam:PassRole"},
		{awsError{400, "AccessDeniedException", "no"}, "allow firehose:DescribeDeliveryStream"},
		{awsError{400, "ResourceNotFoundException", "Firehose s under account 000000000000 not found."}, "hydrant streams list"},
		{awsError{400, "ResourceNotFoundException", "Firehose s is not active in 000000000000 account."}, "hydrant streams describe"},
		{awsError{400, "ResourceInUseException", "Firehose s under accountId 000000000000 already exists"}, "another name"},
		{awsError{400, "ResourceInUseException", "Firehose s is being created."}, "try again"},
		{awsError{400, "LimitExceededException", "You have reached the limit."}, "quota"},
		{awsError{400, "InvalidArgumentException", "Firehose is unable to assume role r. Please check the role provided."}, "trust policy"},
		{awsError{400, "InvalidArgumentException", "Records size exceeds 4 MB limit"}, ""},
		{awsError{400, "ValidationException", "1 validation error detected: Value 'x, y' at 'bucketARN'"}, ""},
		{awsError{400, "UnrecognizedClientException", "The security token included in the request is invalid."}, "AWS_ACCESS_KEY_ID"},
		{awsError{400, "InvalidSignatureException", "The request signature we calculated does not match"}, "AWS_SECRET_ACCESS_KEY"},
		{awsError{400, "InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z"}, "clock"},
		{awsError{400, "InvalidSignatureException", "Signature not yet current: 20260101T000000Z"}, "clock"},
		{awsError{400, "RequestTimeTooSkewed", "The difference is too large."}, "clock"},
		{awsError{400, "IncompleteSignatureException", "x"}, "proxy"},
		{awsError{400, "MissingAuthenticationTokenException", "x"}, "proxy"},
		{awsError{400, "ExpiredTokenException", "The security token included in the request is expired"}, "aws sso login"},
		{awsError{400, "ThrottlingException", "Rate exceeded"}, "try again"},
		{awsError{503, "ServiceUnavailableException", "Slow down."}, "try again"},
		{awsError{400, "InvalidKMSResourceException", "x"}, "KMS key"},
		{awsError{400, "SomethingNewException", "x"}, ""},
	} {
		s := &scripted{answers: []any{tc.awsError}}
		err := describe(t, configFor(s))
		checkExplained(t, err, "describe delivery stream s: "+tc.code+": "+tc.message, tc.remedy)
		if api, ok := errors.AsType[smithy.APIError](admin.Explain(err)); !ok || api.ErrorCode() != tc.code {
			t.Errorf("%s is not to be had from the explained error", tc.code)
		}
	}
}

// The local Firehose's own answers, to real mistakes.
func TestExplainLocal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		for _, tc := range []struct{ key, secret, code, remedy string }{
			{"AKIDNOBODY", hydranttest.SecretKey, "UnrecognizedClientException: ", "access key"},
			{hydranttest.AccessKey, "wrong", "InvalidSignatureException: ", "secret"},
			{hydranttest.AccessKey, hydranttest.SecretKey, "ResourceNotFoundException: Firehose s ", "streams list"},
		} {
			cfg := fh.AWSConfig()
			cfg.Credentials = credentials.NewStaticCredentialsProvider(tc.key, tc.secret, "")
			text := admin.Explain(describe(t, cfg)).Error()
			if !strings.HasPrefix(text, "describe delivery stream s: "+tc.code) || !strings.Contains(text, "\nhint: ") || !strings.Contains(text, tc.remedy) {
				t.Errorf("explained as %q, want %s and %s", text, tc.code, tc.remedy)
			}
		}
		fh.SetDown(true) // with the SDK's retries, whose number is of no interest to people
		checkExplained(t, describe(t, fh.AWSConfig()),
			`describe delivery stream s: Post "http://hydranttest/": dial tcp: connect: connection refused`, "can't be reached")
		c := fh.Client() // which stops to retry after a while
		for {
			_, err := admin.Describe(t.Context(), c, "s")
			if !strings.Contains(err.Error(), "retry quota exceeded") {
				continue
			}
			checkExplained(t, err, `describe delivery stream s: Post "http://hydranttest/": dial tcp: connect: connection refused`, "can't be reached")
			break
		}
	})
}

func html(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, "<html>hello</html>")
	})
}

// What answers is something else, or nothing.
func TestExplainEndpoints(t *testing.T) {
	const invalid = "deserialization failed, failed to decode response body, invalid character '<' looking for beginning of value"
	checkExplained(t, describe(t, configFor(html(502))), "describe delivery stream s: HTTP status 502: "+invalid, "may not be the service")
	checkExplained(t, describe(t, configFor(html(404))), "describe delivery stream s: HTTP status 404: "+invalid, "may not be the service")

	over := func(endpoint string) error {
		cfg := configFor(nil)
		cfg.HTTPClient, cfg.BaseEndpoint = nil, &endpoint
		return describe(t, cfg)
	}
	secure := httptest.NewUnstartedServer(html(200))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	plain := httptest.NewServer(html(200))
	defer plain.Close()
	gone := httptest.NewServer(html(200))
	gone.Close()
	for endpoint, want := range map[string][2]string{
		gone.URL:   {"connection refused", "can't be reached"},
		secure.URL: {"certificate", "AWS_CA_BUNDLE"},
		strings.Replace(plain.URL, "http:", "https:", 1): {"HTTP response to HTTPS client", "http://"},
		"localhost":   {"unsupported protocol scheme", "whole URL"},
		"127.0.0.1:1": {"Failed to parse uri", "whole URL"},
	} {
		text := admin.Explain(over(endpoint)).Error()
		cause, hint, _ := strings.Cut(text, "\nhint: ")
		if !strings.Contains(cause, want[0]) || !strings.Contains(hint, want[1]) || strings.Contains(cause, "operation error") || strings.Contains(cause, "StatusCode") {
			t.Errorf("%s: %s", endpoint, text)
		}
	}
}

func TestExplainSettings(t *testing.T) {
	cfg := configFor(html(200))
	cfg.Region, cfg.BaseEndpoint = "", nil
	checkExplained(t, describe(t, cfg), "describe delivery stream s: endpoint rule error, Invalid Configuration: Missing Region", "AWS_REGION")

	// A laptop: nobody answers where an EC2 instance would have its role.
	cfg = configFor(html(200))
	cfg.Credentials = aws.NewCredentialsCache(ec2rolecreds.New(func(o *ec2rolecreds.Options) {
		o.Client = imds.New(imds.Options{Endpoint: "http://127.0.0.1:1", Retryer: aws.NopRetryer{}})
	}))
	err := describe(t, cfg)
	if text := admin.Explain(err).Error(); !strings.HasPrefix(text, "describe delivery stream s: get AWS credentials: no EC2 IMDS role found, ") ||
		!strings.Contains(text, "\nhint: no AWS credentials were found") || strings.Contains(text, "operation error") {
		t.Errorf("no credentials: %s", text)
	}
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, &ssocreds.InvalidTokenError{}
	})
	checkExplained(t, describe(t, cfg), "describe delivery stream s: get AWS credentials: the SSO session has expired or is invalid", "aws sso login")

	_, err = config.LoadDefaultConfig(t.Context(), config.WithSharedConfigProfile("nope"),
		config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}))
	checkExplained(t, fmt.Errorf("load the AWS settings: %w", err), "load the AWS settings: failed to get shared config profile, nope", "--profile")
}

// Errors of Hydrant's own packages, whose text must stay as it is but for an HTTP
// status.
func TestExplainOwn(t *testing.T) {
	denied := s3Denied(t)
	_, missing := os.Open("no/such/file")
	for _, tc := range []struct {
		err           error
		cause, remedy string
	}{
		{&wire.Error{Status: 400, Code: wire.CodeResourceNotFound, Message: "Firehose s under account 1 not found."}, "ResourceNotFoundException: Firehose s under account 1 not found.", "hydrant streams list"},
		{fmt.Errorf("put: %w (record 7)", &wire.Error{Code: "RecordTooLarge", Message: "1,024,001 bytes"}), "put: RecordTooLarge: 1,024,001 bytes (record 7)", ""},
		{&wire.Error{Code: wire.CodeAccessDenied, Message: "no"}, "AccessDeniedException: no", "on this delivery stream"},
		{errors.New("hydrant: no AWS region: set AWS_REGION, or Region in Config.AWS"), "hydrant: no AWS region: set AWS_REGION, or Region in Config.AWS", "--region"},
		{errors.New("hydrant: no AWS credentials in Config.AWS"), "hydrant: no AWS credentials in Config.AWS", "AWS_PROFILE"},
		{errors.New("operation error of mine: it, api error x"), "operation error of mine: it, api error x", ""},
		{missing, missing.Error(), ""},
		{errors.Join(denied, denied), "list s3://b/p/: AccessDenied: Access Denied\nlist s3://b/p/: AccessDenied: Access Denied", "allow s3:ListBucket"},
	} {
		checkExplained(t, tc.err, tc.cause, tc.remedy)
	}
	for _, err := range []error{nil, errors.New("x (HTTP 400)\nhint: do y"), fmt.Errorf("%w\nhint: do z", denied)} {
		if got := admin.Explain(err); got != err {
			t.Errorf("%v comes back as %v", err, got)
		}
	}
	if once := admin.Explain(denied); admin.Explain(once) != once {
		t.Error("explained twice")
	}
}

// s3Denied is the error of an S3 call that names no action.
func s3Denied(t *testing.T) error {
	t.Helper()
	c := s3Client(configFor(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Request-Id", "R")
		w.Header().Set("X-Amz-Id-2", "a+b/c=")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
	})))
	for _, err := range admin.Objects(t.Context(), c, "b", "p/") {
		return err
	}
	t.Fatal("not denied")
	return nil
}
