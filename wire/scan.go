package wire

import (
	"slices"
	"strings"
)

// scanResponse reads an answer to PutRecordBatch in the form that the service
// sends: the known members in any order, each at most once, strings without
// escapes. It takes no reflection and allocates only the list. Of anything else
// it says false, and the caller decodes the answer the slow way.
func scanResponse(body string, entries []PutEntry) (PutResponse, bool) {
	s := scanner{text: body}
	resp := PutResponse{Entries: entries}
	var seenCount, seenEncrypted, seenEntries bool
	ok := s.object(func(key string) bool {
		switch {
		case key == "FailedPutCount" && !seenCount:
			seenCount = true
			return s.number(&resp.FailedPutCount)
		case key == "Encrypted" && !seenEncrypted:
			seenEncrypted = true
			return s.boolean(&resp.Encrypted)
		case key == "RequestResponses" && !seenEntries:
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
	text string
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
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
	if s.at == len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

// object calls member with each key; member scans the value.
func (s *scanner) object(member func(key string) bool) bool {
	if !s.next('{') {
		return false
	}
	if s.next('}') {
		return true
	}
	for {
		var key string
		if !s.str(&key) || !s.next(':') || !member(key) {
			return false
		}
		if !s.next(',') {
			return s.next('}')
		}
	}
}

func (s *scanner) str(v *string) bool {
	if !s.next('"') {
		return false
	}
	rest := s.text[s.at:]
	end := strings.IndexByte(rest, '"')
	if end < 0 || strings.IndexByte(rest[:end], '\\') >= 0 {
		return false
	}
	*v, s.at = rest[:end], s.at+end+1
	return true
}

// number scans a count: digits only.
func (s *scanner) number(v *int) bool {
	s.space()
	start := s.at
	for s.at < len(s.text) && s.at-start < 9 && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		*v = *v*10 + int(s.text[s.at]-'0')
		s.at++
	}
	digits := s.text[start:s.at]
	return digits == "0" || digits != "" && digits[0] != '0'
}

func (s *scanner) boolean(v *bool) bool {
	s.space()
	word := "false"
	if *v = strings.HasPrefix(s.text[s.at:], "true"); *v {
		word = "true"
	}
	if !strings.HasPrefix(s.text[s.at:], word) {
		return false
	}
	s.at += len(word)
	return true
}

func (s *scanner) entries(list *[]PutEntry) bool {
	if !s.next('[') {
		return false
	}
	if s.next(']') {
		return true
	}
	// An accepted entry is some 240 bytes long.
	*list = slices.Grow(*list, min(len(s.text)/200+1, MaxBatchRecords))
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
	return s.object(func(key string) bool {
		switch key {
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
