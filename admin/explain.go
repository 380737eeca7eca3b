package admin

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"

	"github.com/hydrant-go/hydrant/wire"
)

// Explain words an error for people: its cause without the SDK's wrapping, and
// what to do about it on a line of its own, after "hint: ". The error stays in
// the chain, with the request id that the text leaves out. An error that has a
// hint already comes back as it is, and so does nil.
func Explain(err error) error {
	if err == nil || strings.HasPrefix(err.Error(), "hint: ") || strings.Contains(err.Error(), "\nhint: ") {
		return err
	}
	text := plain(err)
	if hint := hintFor(err, text); hint != "" {
		text += "\nhint: " + hint
	}
	return &explained{text, err}
}

type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.err }

// The SDK's layers, each of which puts its own words before the cause. They are
// taken out of the text and not out of the chain, as an error may hold several
// chains, and an operation another one: that of the credentials.
var (
	sdkOperation = regexp.MustCompile(`operation error [\w ]+: \w+, (?:failed to resolve service endpoint, )?`)
	sdkAttempts  = regexp.MustCompile(`exceeded maximum number of attempts, \d+, `)
	sdkResponse  = regexp.MustCompile(`https? response error StatusCode: (\d+), (?:RequestID: [^,]*, )?(?:HostID: [^,]*, )?(api error |request send failed, )?`)
	sdkQuota     = regexp.MustCompile(`\nfailed to get rate limit token, retry quota exceeded, \d+ available, \d+ requested`)
	sdkIdentity  = strings.NewReplacer("get identity: get credentials: ", "get AWS credentials: ", "failed to refresh cached credentials, ", "")
)

// plain is err's text with "CODE: message" for an answer of the service, and
// with the cause where no answer came.
func plain(err error) string {
	text := err.Error()
	if w, ok := errors.AsType[*wire.Error](err); ok {
		text = strings.Replace(text, w.Error(), w.Code+": "+w.Message, 1)
	}
	text = sdkIdentity.Replace(text)
	if _, ok := errors.AsType[*smithy.OperationError](err); !ok {
		return text
	}
	text = sdkOperation.ReplaceAllString(text, "")
	text = sdkAttempts.ReplaceAllString(text, "")
	text = sdkQuota.ReplaceAllString(text, "")
	keepStatus := needsStatus(err)
	return sdkResponse.ReplaceAllStringFunc(text, func(layer string) string {
		if status := sdkResponse.FindStringSubmatch(layer)[1]; keepStatus && status != "0" {
			return "HTTP status " + status + ": "
		}
		return ""
	})
}

// needsStatus tells of an answer that has no error code, such as a proxy's.
func needsStatus(err error) bool {
	code := codeOf(err)
	return code == "" || code == "UnknownError" // the SDK's word for none
}

// codeOf is the service's error code in err, or "".
func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	if w, ok := errors.AsType[*wire.Error](err); ok {
		return w.Code
	}
	return ""
}

func hintFor(err error, text string) string {
	if IsDenied(err) {
		return "the caller's IAM policies must allow " + action(err, text)
	}
	code := codeOf(err)
	if hint := hintForStack(err, code, text); hint != "" {
		return hint
	}
	switch code {
	case "":
		return hintWithoutCode(err, text)
	case wire.CodeResourceNotFound:
		if operation(err).ServiceID == logsID {
			return "Firehose makes no log groups and log streams by itself: create this one, and let the delivery stream's role put into it (logs:PutLogEvents)"
		}
		if strings.Contains(text, "is not active") {
			return "hydrant streams describe shows its state; it takes records once it is ACTIVE"
		}
		return "hydrant streams list shows the delivery streams there are in this account and region"
	case wire.CodeResourceInUse:
		if strings.Contains(text, "already exists") {
			return "use another name, or see what is there with hydrant streams describe"
		}
		return "the delivery stream is being changed: try again once hydrant streams describe shows it ACTIVE"
	case wire.CodeLimitExceeded:
		return "a quota of the account is used up: delete delivery streams that are not needed, or ask AWS for a higher quota"
	case wire.CodeInvalidKMSResource:
		return "the delivery stream's KMS key must be enabled, and its policy must let Firehose use it"
	case "NoSuchBucket":
		return "check the bucket's name, the account and the S3 endpoint"
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return "the bucket is in another region: give that one with --region or AWS_REGION"
	case wire.CodeInvalidArgument:
		if strings.Contains(text, "assume role") {
			return "the role's trust policy must name firehose.amazonaws.com; a new role takes a while until it is known"
		}
		return ""
	}
	if code == "UnknownError" {
		return notTheService(err)
	}
	return hintForIdentity(code, text)
}

// hintForStack looks at what CloudFormation refuses, and what it tells of a
// resource's service, which has no code here.
func hintForStack(err error, code, text string) string {
	if errors.Is(err, ErrNoStack) {
		return "hydrant deploy sets a stack up; one that is there may be in another region or account: check --region and --profile"
	}
	if m := deniedAction.FindStringSubmatch(text); m != nil && code == "" {
		return "the caller's IAM policies must allow " + m[1]
	}
	if op, ok := errors.AsType[*smithy.OperationError](err); !ok || op.ServiceID != cloudformation.ServiceID {
		return ""
	}
	switch code {
	case "InsufficientCapabilitiesException":
		return "the template makes IAM resources, or has macros: allow that by --capability " + cmp.Or(capability.FindString(text), "CAPABILITY_IAM")
	case "AlreadyExistsException":
		return "a stack of that name is there already: give another name by --stack"
	case "LimitExceededException":
		return "the account has as many stacks as it may have: delete some, or ask AWS for a higher quota"
	case "ValidationError":
		return hintForTemplate(text)
	}
	return ""
}

var capability = regexp.MustCompile(`CAPABILITY_\w+`)

// hintForTemplate looks at the texts of what CloudFormation calls a validation error.
func hintForTemplate(text string) string {
	switch {
	case strings.Contains(text, "must have values"):
		return "the template has no default for them: give each by --parameter NAME=VALUE"
	case strings.Contains(text, "do not exist in the template"), strings.Contains(text, "failed to satisfy constraint"), strings.Contains(text, "Parameter "):
		return "the template says what its parameters may be: hydrant deploy --dry-run prints it"
	case strings.Contains(text, "Template format error"), strings.Contains(text, "Template error"), strings.Contains(text, "Unresolved resource dependencies"):
		return "check the file of --template"
	case strings.Contains(text, "TerminationProtection is enabled"):
		return "aws cloudformation update-termination-protection --no-enable-termination-protection takes it away"
	case strings.Contains(text, "_IN_PROGRESS state"):
		return "CloudFormation is at work on the stack: hydrant deploy waits for that"
	}
	return ""
}

// hintForIdentity looks at refusals that come before the service looks at what
// is asked of it.
func hintForIdentity(code, text string) string {
	switch code {
	case wire.CodeUnrecognizedClient, "InvalidClientTokenId", "InvalidAccessKeyId":
		return "the access key is not known there: check AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN, AWS_PROFILE and the endpoint"
	case wire.CodeInvalidSignature, "SignatureDoesNotMatch":
		if strings.Contains(text, "Signature expired") || strings.Contains(text, "Signature not yet current") {
			return wrongClock
		}
		return "the secret does not belong to the access key: check AWS_SECRET_ACCESS_KEY and AWS_PROFILE"
	case "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture":
		return wrongClock
	case wire.CodeMissingAuthToken, wire.CodeIncompleteSignature:
		return "something between here and the service has changed the request's headers: check the endpoint and any proxy"
	case wire.CodeExpiredToken, "ExpiredToken":
		return "the session is over: get new credentials, as with aws sso login"
	}
	if class, _ := wire.Classify(code, text, 400); class == wire.Retry {
		return "the service is busy or in trouble: try again in a while"
	}
	return ""
}

const wrongClock = "set this machine's clock: AWS takes no signature that is minutes off its own time"

func notTheService(err error) string {
	return "what answers there may not be the service: check the endpoint (--endpoint-url, " + endpointVariable(err) + ") and any proxy"
}

// endpointVariable is what sets the endpoint of the service that was called.
func endpointVariable(err error) string {
	service := "FIREHOSE"
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		service = strings.ReplaceAll(strings.ToUpper(op.ServiceID), " ", "_")
	}
	return "AWS_ENDPOINT_URL_" + service
}

// hintWithoutCode looks at failures where the service has not answered. The
// settings come first: without credentials the SDK asks other endpoints for
// some, and their silence says nothing of the one that was meant.
func hintWithoutCode(err error, text string) string {
	if _, ok := errors.AsType[*aws.MissingRegionError](err); ok ||
		strings.Contains(text, "Invalid Configuration: Missing Region") || strings.Contains(text, "no AWS region") {
		return "set AWS_REGION, or give --region"
	}
	switch {
	case errors.Is(err, context.Canceled):
		return ""
	case strings.Contains(text, "failed to get shared config profile"):
		return "the profiles are in ~/.aws/config and ~/.aws/credentials: check --profile and AWS_PROFILE"
	case strings.Contains(text, "SSO session") || strings.Contains(text, "SSO token"):
		return "sign in again, as with aws sso login"
	case strings.Contains(text, "AWS credentials"):
		return "no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; hydrant local needs none of AWS's"
	case strings.Contains(text, "Failed to parse uri") || strings.Contains(text, "unsupported protocol scheme"):
		return "an endpoint is a whole URL, such as http://127.0.0.1:4573: check --endpoint-url and " + endpointVariable(err)
	case errors.Is(err, context.DeadlineExceeded):
		return ""
	}
	return hintForConnection(err)
}

func hintForConnection(err error) string {
	if errors.Is(err, http.ErrSchemeMismatch) {
		return "the endpoint speaks plain HTTP: its URL begins with http://"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "if the endpoint's certificate is your own, AWS_CA_BUNDLE names the file of its authority"
	}
	if _, ok := errors.AsType[*url.Error](err); ok { // what every failed HTTP exchange is
		return "the endpoint can't be reached: check the network, the region and the endpoint (--endpoint-url, " + endpointVariable(err) + ")"
	}
	if _, ok := errors.AsType[*smithy.DeserializationError](err); ok {
		return notTheService(err)
	}
	return ""
}

var deniedAction = regexp.MustCompile(`not authorized to perform: ([\w-]+:\w+)`)

// action is what the caller may not do, by the message or else by the call.
func action(err error, text string) string {
	if m := deniedAction.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	op := operation(err)
	switch name := actionNames[op.OperationName]; {
	case op.OperationName == "":
		return "the call on this delivery stream"
	case name != "":
		return name
	case op.ServiceID == logsID: // the one service
		return "logs:" + op.OperationName
	}
	return strings.ToLower(op.ServiceID) + ":" + op.OperationName
}

// actionNames are the actions of the calls that have another name.
var actionNames = map[string]string{
	"ListObjectsV2":        "s3:ListBucket",
	"ListObjectVersions":   "s3:ListBucketVersions",
	"ListMultipartUploads": "s3:ListBucketMultipartUploads",
	"DeleteObjects":        "s3:DeleteObject and s3:DeleteObjectVersion",
}

const logsID = "CloudWatch Logs"

// operation is the SDK's operation that has failed, or none.
func operation(err error) smithy.OperationError {
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		return *op
	}
	return smithy.OperationError{}
}

// IsDenied tells of an error that it is a refusal for want of a permission.
func IsDenied(err error) bool {
	switch codeOf(err) {
	case wire.CodeAccessDenied, "AccessDenied", "Forbidden", "UnauthorizedOperation":
		return true
	}
	return false
}
