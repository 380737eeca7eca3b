package wire

import "testing"

func TestViolations(t *testing.T) {
	var v Violations
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	v.Add("'x'", "a.b", "have length less than or equal to 0")
	v.Add("", "secret", "satisfy regular expression pattern: y")
	v.AddMap("'{k=v}'", "m", "keys", "satisfy constraint: [z]")
	v.Required("r")
	want := "ValidationException: 4 validation errors detected: Value 'x' at 'a.b' failed to satisfy constraint: Member must have length less than or equal to 0; " +
		"Value at 'secret' failed to satisfy constraint: Member must satisfy regular expression pattern: y; " +
		"Value '{k=v}' at 'm' failed to satisfy constraint: Map keys must satisfy constraint: [z]; Value null at 'r' failed to satisfy constraint: Member must not be null (HTTP 400)"
	if got := v.Err().Error(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
