"""Every defect an alert can have: its rule, its grade when tolerant and when strict, and its words in two languages."""

# One defect a row, so that the two languages and the two grades can be read beside each other.
# ruff: noqa: E501

from __future__ import annotations

from dataclasses import dataclass

from services.gateway.cap.model import Grade


@dataclass(frozen=True, slots=True)
class Defect:
    """One way to break a rule: grade when tolerant, grade when strict, what to say and what to do about it."""

    code: str
    rule: int
    tolerant: Grade
    strict: Grade
    message: str
    message_zh: str


_J: Grade = "reject"
_Q: Grade = "quarantine"
_R: Grade = "repair"
_I: Grade = "info"

# fmt: off
_ROWS: tuple[tuple[str, int, Grade, Grade, str, str], ...] = (
    # the file
    ("empty", 1, _J, _J, "There is nothing in it; send the alert's XML.", "文件是空的;请发送预警的XML。"),
    ("not_xml", 1, _J, _J, "It is not well-formed XML; send it whole and unaltered.", "不是格式正确的XML;请完整、原样发送。"),
    ("not_cap", 1, _J, _J, "It is XML or a page, but no CAP alert; send an alert element.", "是XML或网页,但不是CAP预警;请发送alert元素。"),
    ("encoding_unknown", 1, _J, _J, "Its encoding is not one we read; use UTF-8.", "编码无法识别;请用UTF-8。"),
    ("encoding_broken", 1, _R, _J, "Some bytes do not fit its encoding; read as well as possible. Declare the encoding.", "有字节与所声明的编码不符,已尽量读出;请声明正确的编码。"),
    ("namespace_old", 1, _R, _J, "An older CAP version, read as CAP 1.2.", "旧版本CAP,按1.2读取。"),
    ("namespace_wrong", 1, _R, _J, "The namespace is not CAP 1.2's; read as CAP 1.2.", "命名空间不是CAP 1.2的;按1.2读取。"),
    ("namespace_foreign", 1, _Q, _J, "An alert in a namespace of somebody else's; a person must look.", "alert属于别的命名空间,须由人查看。"),
    ("nested_alert", 1, _Q, _J, "An alert lies within an alert; only the outer one is read. A person must look.", "预警里套着预警,只读外层;须由人查看。"),
    ("enveloped", 1, _I, _I, "Taken out of its envelope (a feed or a distribution element).", "已从外层封装(订阅或分发元素)中取出。"),
    ("no_alert", 1, _I, _J, "A feed or envelope without an alert in it; links are not followed.", "订阅或封装里没有预警;不会打开其中的链接。"),
    ("doctype", 37, _J, _J, "It has a document type declaration, which may hide an attack; take it out.", "含有DOCTYPE声明,可能藏有攻击;请去掉。"),
    ("too_big", 38, _J, _J, "It is larger than allowed; split or simplify it.", "文件超过大小上限;请拆分或简化。"),
    ("too_deep", 38, _J, _J, "Its elements are nested deeper than allowed.", "元素嵌套过深。"),
    ("too_many_nodes", 38, _J, _J, "It has more elements than allowed.", "元素过多。"),
    ("too_many_alerts", 38, _J, _J, "It has more alerts than allowed here; send them in several files.", "所含预警过多;请分几次发送。"),
    ("too_many_blocks", 38, _J, _J, "It has more info, area or reference blocks than allowed.", "info、area或references块过多。"),
    ("text_too_long", 38, _Q, _J, "A text is longer than anybody would say; a person must look.", "文字过长,须由人查看。"),
    ("control_characters", 38, _R, _J, "Control characters were taken out.", "已去掉控制字符。"),
    ("bidi_characters", 38, _R, _J, "Characters that turn the reading direction were taken out.", "已去掉改变阅读方向的字符。"),
    # the alert
    ("order", 2, _R, _J, "Elements do not stand in the schema's order; read by name.", "元素顺序不符合规范;按名称读取。"),
    ("unexpected_element", 2, _R, _J, "An element CAP does not know was left out.", "有CAP没有的元素,已略去。"),
    ("repeated_element", 2, _R, _J, "An element that may stand once stands several times; texts were joined, of codes the first was taken.", "只能出现一次的元素重复出现;文字已合并,代码取第一个。"),
    ("empty_element", 2, _R, _R, "An empty element was taken as absent.", "空元素按没有处理。"),
    ("missing_required", 3, _J, _J, "A required element is missing or empty; add it.", "缺少必填元素或为空;请补上。"),
    ("repeated_required", 3, _J, _J, "A required element stands twice with different values; keep one.", "必填元素出现两次且内容不同;请只留一个。"),
    ("identifier_characters", 4, _R, _J, "Spaces, commas, < and & are not allowed in it; each was replaced by _.", "其中不能有空格、逗号、<或&;已用_代替。"),
    ("identity_reused", 5, _Q, _J, "The same sender, identifier and time came before with other content; a person must look.", "同一发送者、编号和时间先前出现过,但内容不同;须由人查看。"),
    ("time_zulu", 6, _R, _J, "The time ends in Z; read as -00:00.", "时间以Z结尾;按-00:00读取。"),
    ("time_fraction", 6, _R, _J, "The time has a fraction of a second, which was dropped.", "时间带有小数秒,已去掉。"),
    ("time_format", 6, _R, _J, "The time is written in another form; it was understood.", "时间写法不合规范,但已读懂。"),
    ("time_calendar", 6, _R, _J, "The year is of the Buddhist calendar; 543 was taken off.", "年份是佛历,已减去543年。"),
    ("time_offset_assumed", 6, _R, _J, "The time has no offset; its source's own was used.", "时间没有时区;按来源所在时区读取。"),
    ("time_no_offset", 6, _Q, _J, "The time has no offset, so the instant is not known; a person must look. Add an offset such as +08:00.", "时间没有时区,无法确定是哪一刻,须由人查看;请加上如+08:00的时区。"),
    ("time_sign", 6, _Q, _J, "The offset has no sign; + was taken, a person must look.", "时区没有正负号,暂按+读取;须由人查看。"),
    ("sent_unreadable", 6, _J, _J, "The time sent cannot be read; write it as 2026-01-31T08:00:00+08:00.", "发送时间无法读取;请写成2026-01-31T08:00:00+08:00。"),
    ("time_unreadable", 6, _R, _J, "The time cannot be read and was taken as absent.", "时间无法读取,按没有处理。"),
    ("status_unknown", 7, _J, _J, "The status is none of Actual, Exercise, System, Test, Draft; say which.", "status不是规定的五种之一;请写明。"),
    ("draft", 7, _Q, _J, "A draft is never acted on.", "草稿不作任何处理。"),
    ("not_actual", 7, _I, _I, "Not Actual: it must never reach the public.", "状态不是Actual:绝不能发给公众。"),
    ("code_case", 22, _R, _J, "A code is written in other letters than the standard's; read as meant.", "代码大小写或空格不合规范;已按原意读取。"),
    ("exercise_without_note", 8, _I, _I, "An exercise should say in note which exercise it is.", "演练应在note中写明是哪次演练。"),
    ("msg_type_unknown", 9, _J, _J, "The msgType is none of Alert, Update, Cancel, Ack, Error; say which.", "msgType不是规定的五种之一;请写明。"),
    ("references_missing", 10, _R, _J, "An update that names no earlier message; taken as a new warning.", "更新没有写明所更新的消息;按新预警处理。"),
    ("cancel_without_references", 10, _Q, _J, "A cancel that names no message; a person must say what it ends.", "取消没有写明取消哪条消息;须由人确认。"),
    ("references_on_alert", 10, _I, _I, "An Alert that names earlier messages; it is taken as following them.", "新预警却引用了先前消息;视为其后续。"),
    ("reference_unreadable", 11, _R, _J, "A reference is not sender,identifier,sent; what could be read of it is used.", "引用不是“发送者,编号,时间”的形式;只用能读出的部分。"),
    ("reference_self", 12, _R, _J, "It names itself; that reference was left out.", "引用了自己,已略去。"),
    ("reference_later", 12, _R, _J, "It names a message sent later than itself; the time is not used to find it.", "引用了比自己更晚的消息;查找时不用该时间。"),
    ("error_without_note", 13, _I, _I, "An Error should say why in note.", "Error应在note中写明原因。"),
    ("scope_unknown", 14, _J, _J, "The scope is none of Public, Restricted, Private; say which.", "scope不是规定的三种之一;请写明。"),
    ("restriction_missing", 15, _Q, _J, "Restricted, but it does not say to whom; a person must look.", "范围受限,却没写限于谁;须由人查看。"),
    ("restriction_on_other", 15, _Q, _J, "A restriction although the scope is not Restricted: who may see it is not clear; a person must look.", "scope不是Restricted却写了限制,不清楚谁可以看;须由人查看。"),
    ("addresses_missing", 16, _Q, _J, "Private, but it does not say for whom; a person must look.", "私密消息却没写收件人;须由人查看。"),
    # info
    ("info_missing", 17, _Q, _J, "An alert for the public without an info block says nothing; a person must look.", "面向公众的预警没有info块,没有内容;须由人查看。"),
    ("same_language", 18, _I, _I, "Several info blocks in one language: they are read as one sequence.", "同一语言有几个info块,按顺序连读。"),
    ("language_tag", 19, _R, _J, "The language tag is not well formed; read as meant, else as unknown.", "语言标签不合规范;已按原意读取,读不出的按未知处理。"),
    ("category_missing", 20, _R, _J, "No category; Other was taken.", "没有category;按Other处理。"),
    ("category_unknown", 20, _R, _J, "A category that is none of the twelve; read as Other.", "category不在十二种之内;按Other处理。"),
    ("event_from_headline", 20, _R, _J, "No event; the headline was taken.", "没有event;以标题代替。"),
    ("event_missing", 20, _Q, _J, "Neither event nor headline: what happens is not said; a person must look.", "没有event也没有标题,不知发生何事;须由人查看。"),
    ("response_unknown", 21, _R, _J, "A responseType that is none of the nine was left out.", "responseType不在九种之内,已略去。"),
    ("response_assess", 21, _I, _I, "Assess is not for public warnings.", "Assess不适用于公众预警。"),
    ("code_unknown", 22, _R, _J, "A word that is none of the five; read as Unknown, so a person decides the tier.", "用词不在五种之内;按Unknown处理,由人定级。"),
    ("code_missing", 22, _R, _J, "Missing or empty; read as Unknown, so a person decides the tier.", "缺失或为空;按Unknown处理,由人定级。"),
    ("likely_old_word", 22, _R, _J, "Very Likely is CAP 1.0's word; read as Likely.", "Very Likely是CAP 1.0的用词;按Likely读取。"),
    ("pair_incomplete", 23, _R, _J, "A code or parameter without a name was left out.", "代码或参数没有名称,已略去。"),
    ("value_empty", 23, _I, _I, "A code or parameter with an empty value.", "代码或参数的值为空。"),
    ("expires_missing", 24, _R, _R, "No time of expiry; 24 hours from sending are taken.", "没有失效时间;按发送后24小时处理。"),
    ("expires_before_sent", 25, _Q, _J, "It had expired before it was sent; a person must look.", "发送之前就已失效;须由人查看。"),
    ("expires_at_sent", 25, _R, _J, "It expires the moment it is sent; 24 hours are taken.", "发送的同时就失效;按24小时处理。"),
    ("onset_after_expires", 25, _I, _I, "The message expires before the hazard begins: look for an update.", "消息在灾害开始前就失效;请留意更新。"),
    ("expires_far", 25, _I, _I, "It expires more than seven days after it was sent.", "失效时间在发送七天以后。"),
    ("headline_long", 26, _I, _I, "The headline is longer than 160 characters.", "标题超过160字。"),
    ("web_not_absolute", 27, _R, _J, "An address that is not a complete http or https one was left out.", "网址不是完整的http或https地址,已略去。"),
    ("resource_incomplete", 28, _R, _J, "A resource without description or type; a plain word was put in.", "附件没有说明或类型,已补上通用的词。"),
    ("resource_size", 28, _R, _J, "A resource's size is not a whole number of bytes; left out.", "附件大小不是整数字节,已略去。"),
    ("resource_digest", 28, _I, _J, "A resource's digest does not fit its content.", "附件校验值与内容不符。"),
    ("deref_uri", 29, _I, _I, "An embedded file: kept as received, stripped when passed on.", "内嵌文件:原样保存,转发时去掉。"),
    # areas
    ("area_missing", 30, _R, _J, "No area at all: a person must choose it.", "没有区域:须由人选定。"),
    ("area_desc_missing", 30, _R, _J, "An area without description; its codes, or a plain word, were put in.", "区域没有名称;已用其代码或通用的词代替。"),
    ("area_text_only", 30, _R, _J, "Areas in words only: a person must choose the area.", "区域只有文字:须由人选定。"),
    ("area_geocode_only", 30, _R, _I, "Areas in codes only: they need a code table, else a person must choose.", "区域只有代码:须有代码表,否则由人选定。"),
    ("polygon_open", 31, _R, _J, "A polygon that did not end where it began was closed.", "多边形首尾不接,已闭合。"),
    ("polygon_format", 31, _R, _J, "A polygon's pairs are written in another form; they were understood.", "多边形坐标写法不合规范,但已读懂。"),
    ("polygon_empty", 31, _R, _J, "A polygon without any pair was left out.", "多边形没有坐标,已略去。"),
    ("polygon_flat", 31, _R, _J, "A polygon without extent was left out; the rest of the area stands.", "多边形没有面积,已略去;区域其余部分照用。"),
    ("polygon_flat_alone", 31, _Q, _J, "A polygon without extent is all there is of the area; a person must choose the area.", "区域只有一个没有面积的多边形;须由人选定区域。"),
    ("polygon_unreadable", 31, _Q, _J, "A polygon cannot be read: people might be left out; a person must look.", "多边形无法读取,可能漏掉人;须由人查看。"),
    ("polygon_crossing", 31, _R, _R, "A polygon crosses itself; everything its line encloses is taken.", "多边形自相交;取线条围住的全部范围。"),
    ("polygon_tangled", 38, _Q, _J, "Polygons are too large or too tangled to compute; their hull stands in until a person has looked.", "多边形过大或过于杂乱,无法计算;暂用外包范围,须由人查看。"),
    ("polygon_polar", 31, _Q, _J, "A polygon runs around a pole; a person must look.", "多边形环绕极点;须由人查看。"),
    ("antimeridian", 33, _I, _I, "An area across the 180th meridian was cut there.", "区域跨越180度经线,已在该处分开。"),
    ("circle_format", 32, _R, _J, "A circle is written in another form; it was understood.", "圆的写法不合规范,但已读懂。"),
    ("circle_no_radius", 32, _R, _J, "A circle without radius is read as a point.", "圆没有半径,按点处理。"),
    ("circle_negative", 32, _Q, _J, "A circle with a negative radius; a person must choose the area.", "圆的半径为负;须由人选定区域。"),
    ("circle_huge", 32, _Q, _J, "A circle larger than allowed; a person must choose the area.", "圆过大;须由人选定区域。"),
    ("circle_unreadable", 32, _Q, _J, "A circle cannot be read: people might be left out; a person must look.", "圆无法读取,可能漏掉人;须由人查看。"),
    ("circle_zero", 32, _I, _I, "A circle of radius 0 is a mark on the map, not an area.", "半径为0的圆只是地图标记,不是区域。"),
    ("marker_used", 32, _R, _R, "The marks are all there is of the area: 3 km around each are taken; a person should check.", "区域只有标记点:取每点周围3公里;请人核对。"),
    ("out_of_range", 33, _Q, _J, "Coordinates beyond the globe; a person must choose the area.", "坐标超出地球范围;须由人选定区域。"),
    ("longitude_wrapped", 33, _R, _J, "Longitudes beyond 180 degrees were brought back by a full turn.", "经度超过180度,已减去一整圈。"),
    ("swapped", 33, _R, _J, "Latitude and longitude were in each other's place; exchanged.", "纬度和经度写反了,已对调。"),
    ("too_many_corners", 38, _Q, _J, "More polygons, circles or corners than allowed; a person must look. Simplify the area.", "多边形、圆或顶点过多,须由人查看;请简化区域。"),
    ("altitude_unreadable", 34, _R, _J, "An altitude or ceiling that is no number was left out.", "高度不是数字,已略去。"),
    ("ceiling_alone", 34, _R, _J, "A ceiling without altitude was left out.", "只有上限没有高度,已略去。"),
    ("ceiling_below", 34, _R, _J, "The ceiling lay below the altitude; the two were exchanged.", "上限低于高度,两者已对调。"),
    # text, signature
    ("html", 35, _R, _R, "HTML in a text was taken out.", "文字中的HTML已去掉。"),
    ("escaped_twice", 35, _R, _R, "A text was escaped twice; read as meant.", "文字被重复转义,已按原意读取。"),
    ("nested_markup", 35, _R, _J, "Elements within a text: their words were kept.", "文字里有元素;其文字已保留。"),
    ("entity_undeclared", 35, _R, _J, "HTML entities that XML does not know were replaced by their characters.", "XML没有的HTML实体已换成相应字符。"),
    ("signed", 36, _I, _I, "It carries a signature; whether that verifies is said apart.", "带有签名;能否验证另行说明。"),
    ("signed_twice", 36, _I, _I, "It carries several signatures; none of them is relied on.", "带有多个签名;一概不予采信。"),
)
# fmt: on

DEFECTS: dict[str, Defect] = {row[0]: Defect(*row) for row in _ROWS}
