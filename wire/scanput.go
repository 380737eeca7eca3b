package wire

import (
	"bytes"

	"github.com/segmentio/asm/base64"
)

// scanPut decodes the body of a put in the form that SDKs send: the name and
// Record or Records, in any order, each once, and every record an object with
// Data alone. It takes no reflection and allocates only the name and the list:
// the records are decoded where they stand in body. Of anything else it says
// false, with body untouched, and the caller decodes the slow way.
//
// encoding/json is asked nothing here, so that the two ways agree hangs on this:
// no text is decoded before the whole body has been scanned, and a text that is
// not what encoding/json would have read, such as one with a line end or one
// that an escaped quote cut short, is not base64 either.
func scanPut(body []byte, single bool) (PutRequest, bool, error) {
	s := scanner{body: body}
	var req PutRequest
	ok := s.object(func(key []byte) bool {
		switch {
		case string(key) == "DeliveryStreamName" && req.Stream == nil:
			return s.name(&req.Stream)
		case string(key) == "Records" && req.Records == nil && !single:
			return s.records(&req.Records)
		case string(key) == "Record" && req.Records == nil && single:
			req.Records = make([][]byte, 1)
			return s.record(&req.Records[0])
		}
		return false
	})
	s.space()
	if !ok || s.at != len(body) {
		return PutRequest{}, false, nil
	}
	escapes := bytes.IndexByte(body, '\\') >= 0
	if escapes && !knownEscapes(req.Records) {
		return PutRequest{}, false, nil
	}
	for i, text := range req.Records {
		if escapes {
			text = unescape(text)
		}
		if req.Records[i], ok = decodeInPlace(text); !ok {
			// The text is used up, so there is no saying where in it.
			return PutRequest{}, true, Errorf(CodeSerialization, "Data of record %d is not valid base64", i+1)
		}
	}
	return req, true, nil
}

// name scans a name that is valid, so without escapes; a bad one is left to the
// slow way.
func (s *scanner) name(v **string) bool {
	text, ok := s.quoted()
	name := string(text)
	*v = &name
	return ok && matchesNamePattern(name)
}

// records scans a list that is not empty.
func (s *scanner) records(list *[][]byte) bool {
	if !s.next('[') {
		return false
	}
	for {
		var text []byte
		start := s.at
		if !s.record(&text) {
			return false
		}
		if *list == nil { // as many as there are if all are as long as the first
			*list = make([][]byte, 0, min((len(s.body)-start)/(s.at-start)+1, MaxBatchRecords))
		}
		*list = append(*list, text)
		if !s.next(',') {
			return s.next(']')
		}
	}
}

// record scans an object with Data alone and gives its text.
func (s *scanner) record(text *[]byte) (ok bool) {
	if !s.next('{') || !s.word(`"Data"`) || !s.next(':') {
		return false
	}
	*text, ok = s.quoted()
	return ok && s.next('}')
}

// knownEscapes tells whether the texts have no escapes but two that SDKs put into
// base64, as their JSON encoders do unless told otherwise (seen in their
// sources): the SDK for PHP writes / as \/, and the one for .NET wrote + as
// \u002B until early 2026.
func knownEscapes(texts [][]byte) bool {
	for _, text := range texts {
		if bytes.Count(text, []byte(`\`)) != bytes.Count(text, []byte(`\/`))+bytes.Count(text, []byte(`\u002B`)) {
			return false
		}
	}
	return true
}

// unescape takes the two escapes out of text, in place.
func unescape(text []byte) []byte {
	to := text[:0]
	for {
		plain, rest, found := bytes.Cut(text, []byte(`\`))
		to = append(to, plain...)
		switch {
		case !found:
			return to
		case rest[0] == '/':
			to, text = append(to, '/'), rest[1:]
		default:
			to, text = append(to, '+'), rest[len("u002B"):]
		}
	}
}

var strict = base64.StdEncoding.Strict()

// decodeInPlace decodes base64 text into the front of its own memory. It takes
// what [encoding/base64.Encoding.Strict] takes, less line ends: those are passed
// over by the decoder, which then gives less than a text of that length holds.
//
// No decoder here promises that it works in place. They all do as long as they
// never write ahead of what they have read, and the tests watch that.
func decodeInPlace(text []byte) ([]byte, bool) {
	size := len(text) / 4 * 3
	if n := len(text); n >= 4 && text[n-1] == '=' {
		size--
		if text[n-2] == '=' {
			size--
		}
	}
	n, err := strict.Decode(text, text)
	return text[:n], err == nil && n == size && len(text)%4 == 0
}
