package wire

import (
	"bytes"
	"slices"
	"strings"
)

// scanResponse reads an answer to PutRecordBatch in the form that the service
// sends: the known members in any order, each at most once, strings without
// escapes. It takes no reflection and allocates only the list. Of anything else
// it says false, and the caller decodes the answer the slow way.
func scanResponse(body []byte, entries []PutEntry) (PutResponse, bool) {
	s := scanner{body: body, text: string(body)}
	resp := PutResponse{Entries: entries}
	var seenCount, seenEncrypted, seenEntries bool
	ok := s.object(func(key []byte) bool {
		switch {
		case string(key) == "FailedPutCount" && !seenCount:
			seenCount = true
			return s.number(&resp.FailedPutCount)
		case string(key) == "Encrypted" && !seenEncrypted:
			seenEncrypted = true
			return s.boolean(&resp.Encrypted)
		case string(key) == "RequestResponses" && !seenEntries:
			seenEntries = true
			return s.entries(&resp.Entries)
		}
		return false
	})
	s.space()
	return resp, ok && s.at == len(body)
}

// scanner walks over JSON text. Its methods say false where the text is not
// what they look for, and the scan ends there.
type scanner struct {
	body []byte
	at   int
	text string // a copy of body, of which the strings of an answer are views
}

func (s *scanner) space() {
	for s.at < len(s.body) {
		switch s.body[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// next passes space and then c, if it is there.
func (s *scanner) next(c byte) bool {
	s.space()
	if s.at == len(s.body) || s.body[s.at] != c {
		return false
	}
	s.at++
	return true
}

// word passes space and then word, if it is there.
func (s *scanner) word(word string) bool {
	s.space()
	rest := s.body[s.at:]
	if len(rest) < len(word) || string(rest[:len(word)]) != word {
		return false
	}
	s.at += len(word)
	return true
}

// object calls member with each key; member scans the value.
func (s *scanner) object(member func(key []byte) bool) bool {
	if !s.next('{') {
		return false
	}
	if s.next('}') {
		return true
	}
	for {
		key, ok := s.plain()
		if !ok || !s.next(':') || !member(key) {
			return false
		}
		if !s.next(',') {
			return s.next('}')
		}
	}
}

// quoted scans up to the next quote: all of a string, unless that quote is
// escaped.
func (s *scanner) quoted() ([]byte, bool) {
	if !s.next('"') {
		return nil, false
	}
	end := bytes.IndexByte(s.body[s.at:], '"')
	if end < 0 {
		return nil, false
	}
	end += s.at
	text := s.body[s.at:end:end]
	s.at = end + 1
	return text, true
}

// plain scans a string without escapes.
func (s *scanner) plain() ([]byte, bool) {
	text, ok := s.quoted()
	return text, ok && bytes.IndexByte(text, '\\') < 0
}

func (s *scanner) str(v *string) bool {
	text, ok := s.plain()
	if ok {
		*v = s.text[s.at-1-len(text) : s.at-1]
	}
	return ok
}

// number scans a count: digits only.
func (s *scanner) number(v *int) bool {
	s.space()
	start := s.at
	for s.at < len(s.body) && s.at-start < 9 && '0' <= s.body[s.at] && s.body[s.at] <= '9' {
		*v = *v*10 + int(s.body[s.at]-'0')
		s.at++
	}
	digits := s.body[start:s.at]
	return len(digits) == 1 || len(digits) > 1 && digits[0] != '0'
}

func (s *scanner) boolean(v *bool) bool {
	*v = s.word("true")
	return *v || s.word("false")
}

func (s *scanner) entries(list *[]PutEntry) bool {
	if !s.next('[') {
		return false
	}
	if s.next(']') {
		return true
	}
	// An accepted entry is some 240 bytes long.
	*list = slices.Grow(*list, min(len(s.body)/200+1, MaxBatchRecords))
	for {
		var e PutEntry
		if !s.entry(&e) {
			return false
		}
		*list = append(*list, e)
		if !s.next(',') {
			return s.next(']')
		}
	}
}

func (s *scanner) entry(e *PutEntry) bool {
	// The shortest way, for an accepted record in compact form.
	if rest, ok := strings.CutPrefix(s.text[s.at:], `{"RecordId":"`); ok {
		end := strings.IndexByte(rest, '"')
		if end >= 0 && strings.HasPrefix(rest[end:], `"}`) && strings.IndexByte(rest[:end], '\\') < 0 {
			e.RecordID = rest[:end]
			s.at = len(s.text) - len(rest) + end + len(`"}`)
			return true
		}
	}
	return s.object(func(key []byte) bool {
		switch string(key) {
		case "RecordId":
			return s.str(&e.RecordID)
		case "ErrorCode":
			return s.str(&e.ErrorCode)
		case "ErrorMessage":
			return s.str(&e.ErrorMessage)
		}
		return false
	})
}
