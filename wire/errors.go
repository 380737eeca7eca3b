package wire

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
)

// Error codes that the put calls answer with, whole or for one record.
const (
	CodeServiceUnavailable     = "ServiceUnavailableException"
	CodeInternalFailure        = "InternalFailure"
	CodeInvalidArgument        = "InvalidArgumentException"
	CodeInvalidKMSResource     = "InvalidKMSResourceException"
	CodeInvalidSource          = "InvalidSourceException"
	CodeResourceNotFound       = "ResourceNotFoundException"
	CodeResourceInUse          = "ResourceInUseException"
	CodeLimitExceeded          = "LimitExceededException"
	CodeConcurrentModification = "ConcurrentModificationException"
	CodeValidation             = "ValidationException"
	CodeSerialization          = "SerializationException"
	CodeThrottling             = "ThrottlingException"
	CodeAccessDenied           = "AccessDeniedException"
	CodeUnrecognizedClient     = "UnrecognizedClientException"
	CodeInvalidSignature       = "InvalidSignatureException"
	CodeIncompleteSignature    = "IncompleteSignatureException"
	CodeMissingAuthToken       = "MissingAuthenticationTokenException"
	CodeUnknownOperation       = "UnknownOperationException"
	CodeExpiredToken           = "ExpiredTokenException"
	// CodeNotImplemented is the local Firehose's own, for what it does not
	// support; AWS has no such code.
	CodeNotImplemented = "NotImplementedException"
)

// SlowDown is the message of a throttled call or record.
const SlowDown = "Slow down."

// Error is a whole call's failure as it travels: the HTTP status and the two
// members of the body.
type Error struct {
	Status  int
	Code    string
	Message string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (HTTP %d)", e.Code, e.Message, e.Status)
}

// Errorf makes a client error (HTTP 400) of the given code.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Status: 400, Code: code, Message: fmt.Sprintf(format, args...)}
}

// ClockSkewed tells of an error whether it says that the caller's clock is wrong.
func (e *Error) ClockSkewed() bool { return clockSkewed(e.Code, e.Message) }

func clockSkewed(code, message string) bool {
	switch code {
	case "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture":
		return true
	case CodeInvalidSignature:
		return strings.HasPrefix(message, "Signature expired") || strings.HasPrefix(message, "Signature not yet current")
	}
	return false
}

// DecodeError decodes the answer to a call that failed, in the order of the
// AWS SDK: the type in the X-Amzn-ErrorType header before __type in the body,
// before code; what follows a colon and what precedes a hash is no part of it.
// An answer that is no error of the service, such as a proxy's page, has no
// code.
func DecodeError(status int, errorType string, body []byte) *Error {
	var in struct {
		Type    string          `json:"__type"`
		Code    json.RawMessage // KMS errors have a member of that name
		Message string
	}
	if err := json.Unmarshal(body, &in); err != nil {
		in.Message = excerpt(body)
	}
	code := cmp.Or(errorType, in.Type)
	if code == "" {
		_ = json.Unmarshal(in.Code, &code) // anything but a string is none
	}
	code, _, _ = strings.Cut(code, ":")
	if i := strings.LastIndexByte(code, '#'); i >= 0 {
		code = code[i+1:]
	}
	return &Error{Status: status, Code: strings.TrimSpace(code), Message: in.Message}
}

// excerpt is the start of an answer that is not JSON, fit for a message.
func excerpt(body []byte) string {
	const most = 200
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), most)]), "")), " ")
	if len(body) > most {
		text += "…"
	}
	return text
}

// Class says what a sender does about a failure.
type Class int

const (
	// Retry: the records may be sent again, after a wait.
	Retry Class = iota
	// Renew: the credentials have expired; renew them, wait, send again.
	Renew
	// Refuse: sending again cannot help until somebody changes something.
	Refuse
	// Poison: some record of the call is unacceptable and takes the others
	// with it; the call must be split to find it.
	Poison
	// Unknown: a code that the service does not document. Retried a bounded
	// number of times.
	Unknown
)

func (c Class) String() string {
	names := [...]string{"retry", "renew", "refuse", "poison", "unknown"}
	if c < 0 || int(c) >= len(names) {
		return fmt.Sprintf("Class(%d)", int(c))
	}
	return names[c]
}

// Classify says what to do about a failure with the given error code, message
// and HTTP status. A code counts before a status: AWS was seen to send
// ServiceUnavailableException with 500 as well as 503. A failure without an
// answer (timeout, reset) has none of them: Classify("", "", 0) is Retry. For a
// single refused record pass its own code and message, and status 200.
//
// stored tells whether the records may have been stored in spite of the
// failure, so that sending them again may duplicate them. Of the failures of a
// put only throttling and the client's own errors are known to store nothing.
func Classify(code, message string, status int) (class Class, stored bool) {
	// A sender learns the clock's offset from the very answer.
	if clockSkewed(code, message) || Throttled(code, status) {
		return Retry, false
	}
	switch code {
	case "":
		return classifyStatus(status)
	case "RequestTimeout", "RequestTimeoutException": // the body came too slowly or not at all; the request was not run
		return Retry, false
	case CodeInternalFailure, "InternalServerError", "InternalError", "InternalServiceException", "ServiceUnavailable":
		return Retry, true
	case CodeExpiredToken, "ExpiredToken":
		return Renew, false
	case CodeValidation:
		if strings.Contains(message, "'deliveryStreamName'") {
			return Refuse, false
		}
		return Poison, false
	case CodeInvalidArgument:
		// Such as a put to a stream whose source is a Kinesis data stream.
		if strings.Contains(message, "not permitted") {
			return Refuse, false
		}
		return Poison, false
	case CodeSerialization, CodeInvalidSource:
		return Poison, false
	case CodeResourceNotFound, CodeAccessDenied, "AccessDenied", CodeInvalidKMSResource,
		CodeUnrecognizedClient, CodeInvalidSignature, CodeIncompleteSignature, CodeMissingAuthToken,
		"InvalidClientTokenId", "OptInRequired", "NotAuthorized", CodeUnknownOperation, CodeNotImplemented:
		return Refuse, false
	}
	if status >= 500 {
		return Retry, true
	}
	return Unknown, true
}

// Throttled tells of a failure whether it is for want of quota.
func Throttled(code string, status int) bool {
	switch code {
	case "":
		return status == 429
	case CodeServiceUnavailable, CodeThrottling,
		"Throttling", "ThrottledException", "RequestThrottledException", "RequestThrottled",
		"TooManyRequestsException", "ProvisionedThroughputExceededException",
		"RequestLimitExceeded", "BandwidthLimitExceeded", CodeLimitExceeded, "SlowDown":
		return true
	}
	return false
}

// classifyStatus classes a failure that has no error code: no answer at all
// (0), an answer of 2xx that could not be read, or one from a proxy.
func classifyStatus(status int) (class Class, stored bool) {
	switch status {
	case 400:
		return Unknown, true
	case 401, 403, 404:
		return Refuse, false
	case 408:
		return Retry, false
	case 413:
		return Poison, false
	}
	return Retry, true
}
