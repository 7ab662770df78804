from hullwatch.formats.attack import Technique, attack


def test_tags_are_tactics_techniques_or_neither() -> None:
    named = attack(("T1003.008", "T1041", "T9999.001", "container", "mitre_exfiltration", "T12345"))
    assert named.tactics == (("TA0010", "Exfiltration"),)
    assert named.techniques == (
        Technique("T1003", "OS Credential Dumping", "T1003.008", "/etc/passwd and /etc/shadow"),
        Technique("T1041", "Exfiltration Over C2 Channel"),
        Technique("T9999", "", "T9999.001", ""),
    )
    assert named.others == ("container", "T12345")
