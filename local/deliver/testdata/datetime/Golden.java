// Prints what Java makes of patterns of DateTimeFormatter, the language of
// !{timestamp:…} in a prefix. To write golden.txt anew, with Java 17:
//
//	java Golden.java > golden.txt
//
// The first line is the times, each "instant zone". Each further line is a
// pattern and what it makes of each time, parted by tabs. "error" alone: the
// pattern is refused; "error" in a time's place: that time has no text.
import java.io.PrintStream;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

public class Golden {
    static final String[] INSTANTS = {
        "2026-07-13T14:05:06Z", // summer
        "2023-01-01T00:00:00Z", // a Sunday, midnight
        "2024-12-31T17:30:00Z", // the week of the next year's first day
        "2024-02-29T12:00:00Z", // noon
        "2024-11-03T06:30:00Z", // the second 01:30 of the day in New York
        "1999-12-31T15:00:00.123456789Z",
        "2016-12-25T21:00:59Z",
        "+12026-04-05T03:04:05Z",
        "-0043-03-15T05:06:07Z",
    };
    static final String[] ZONES = {"UTC", "Asia/Seoul", "America/New_York"};

    static List<String> patterns() {
        List<String> ps = new ArrayList<>();
        for (char c = 'A'; c <= 'z'; c++) {
            if (Character.isLetter(c)) {
                for (int n = 1; n <= 6; n++) {
                    ps.add(String.valueOf(c).repeat(n));
                }
            }
        }
        for (String c : List.of("y", "u", "Y", "S", "n", "N", "A", "g")) {
            for (int n = 7; n <= 20; n++) {
                ps.add(c.repeat(n));
            }
        }
        ps.addAll(List.of(
            "", " ", "/", "yyyy/MM/dd/HH/", "yyyy-MM-dd-HH-mm-ss", "'year='yyyy'/month='MM'/day='dd'/hour='HH/",
            "yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ssXXX", "yyyyMMdd", "yyyyMMddHHmmss", "YYYY/MM/DDD/HH/",
            "YYYY-'W'ww-e", "EEEE, MMMM d, yyyy h:mm a", "EEE, d MMM yyyy HH:mm:ss Z", "yy/M/d", "uuuu-DDD", "yyyy-D",
            "QQQ yyyy", "QQQQ/yyyy", "yyyy'/Q'Q", "W/w/Y", "hh:mm:ss a", "KK:mm a", "kk:mm", "h B", "G yyyy", "GGGG y",
            "''", "''''", "'''", "'", "'a", "a'", "'a''b'", "'a'''", "'''a'", "''a''", "'a'b'c'", "'a' 'b'", "y''y",
            "'[]{}#'", "'}'", "'!'", "'ü'yyyy", "ü", "東yyyy", "\uD83D\uDE00d",
            "[", "]", "[]", "[[]]", "[yyyy]", "[yyyy", "yyyy]", "[yyyy[-MM]]", "[yyyy[-MM", "[[yyyy]-MM]", "yyyy[-MM][-dd]",
            "[]]", "'['yyyy", "[']']", "{", "}", "#", "yyyy{", "yyyy}", "yyyy#MM",
            "!", "\"", "$", "%", "&", "(", ")", "*", "+", ",", "-", ".", "0", "1", ":", ";", "<", "=", ">", "?", "@", "\\",
            "^", "_", "`", "|", "~", "yyyy_MM", "yyyy=MM", "yyyy MM", "y:M:d", "1yyyy2MM3",
            "p", "pp", "pd", "ppd", "pppd", "ppppd", "pppH:mm", "ppHHmm", "ppH mm", "pppMMM", "ppMMM", "pp'a'", "p d", "pp[d]",
            "[ppd]", "ppyy", "ppyyMM", "pppppyyyy", "pppyyyy", "ppppE", "pppppppppE", "pppa", "ppZ", "ppppppZ", "pppS", "pSSS",
            "ppdppH", "ppd-ppH", "ddppH", "ppdHH", "ppX", "ppppVV", "ppppppppppppppppppppVV", "ppJ", "pVVV", "pppW", "ppw",
            "yyyyppd", "ppe", "ppc", "pppQQQ", "pppppppppB", "pppO", "ppppppO", "pppppppppppppd",
            "yyyyy-MM", "yyyyyy", "yM", "yyMMdd", "DD", "Dy", "HHmm", "Hmm", "SSSSSSSSS", "ss.SSS", "ss.SSSSSS", "s.S", "A-n-N",
            "MMMMM/LLLLL", "EEEEE/ccccc/eeeee", "LLL LLLL", "ccc cccc", "eee eeee", "qqq qqqq qqqqq",
            "X XX XXX XXXX XXXXX", "x xx xxx xxxx xxxxx", "Z ZZ ZZZ ZZZZ ZZZZZ", "O OOOO", "VV", "'zone='VV",
            "yyyy/MM/dd/HH/z", "e c", "F g", "yyyy-MM-dd/Bh", "uu u uuu uuuu"));
        return ps;
    }

    static List<String> results(String pattern) {
        DateTimeFormatter f;
        try {
            f = DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH);
        } catch (RuntimeException e) {
            return List.of("error");
        }
        List<String> results = new ArrayList<>();
        for (String zone : ZONES) {
            for (String instant : INSTANTS) {
                try {
                    results.add(f.withZone(ZoneId.of(zone)).format(Instant.parse(instant)));
                } catch (RuntimeException e) {
                    results.add("error");
                }
            }
        }
        return results;
    }

    public static void main(String[] args) {
        PrintStream out = new PrintStream(System.out, false, java.nio.charset.StandardCharsets.UTF_8);
        List<String> times = new ArrayList<>();
        for (String zone : ZONES) {
            for (String instant : INSTANTS) {
                times.add(instant + " " + zone);
            }
        }
        out.print("times\t" + String.join("\t", times) + "\n");
        for (String p : patterns()) {
            out.print(p + "\t" + String.join("\t", results(p)) + "\n");
        }
        out.flush();
    }
}
