"use strict";
// What the page says, in its two languages.
const WORDS = {
  en: {
    skip: "Skip to the note", about: "Paste a note or drop small files (.txt, .jsonl). Nothing is stored.", tools: "Tools", least: "Least score of spans", leastcode: "of codes", own: "the model's",
    deid: "Replace PHI by", models: "Models", phimodel: "PHI", entitymodel: "entities", codemodel: "diagnoses", note: "Note", before: "previous", after: "next", save: "Save", releasedfile: "released text", input: "Your note",
    go: "Annotate", file: "Open files", key: "API key", output: "Annotated note", releasedname: "Released text", span: "Selected words",
    kind: "What", entity: "entity", entities: "entities", label: "Label", put: "Add", drop: "Remove", undo: "Undo", diagnoses: "Diagnoses", code: "Code",
    keys: "Mouse: select words, or click a span. Keyboard: ← → spans; w W words, e E one more or one less at the end, b B at the beginning; Enter adds or relabels, Delete removes, u undoes, Escape lets go.",
    facts: "characters", working: "working …", done: "done", none: "none", lost: "Corrections of this note would be lost: annotate again?",
    busy: "The service is busy; trying again in", reach: "The service cannot be reached.", needkey: "An API key is needed.", failed: "This note failed",
    bad: "This file cannot be read: text or JSON Lines in UTF-8 needed.", large: "Too much at once: 4 MB at most.", evidence: "evidence", added: "added",
    removed: "removed", saved: "saved", negated: "negated", uncertain: "uncertain", historical: "past", hypothetical: "hypothetical",
    patient: "patient", family: "family", other: "someone else", whose: "Whose", modes: { tag: "[NAME]", mask: "mask", placeholder: "[NAME-1]", surrogate: "surrogate" },
  },
  zh: {
    skip: "跳到病历", about: "粘贴一份病历，或拖入小文件（.txt、.jsonl）。不保存任何内容。", tools: "工具", least: "标注最低置信度", leastcode: "编码最低概率", own: "模型默认",
    deid: "隐私替换方式", models: "模型", phimodel: "隐私", entitymodel: "实体", codemodel: "诊断", note: "病历", before: "上一份", after: "下一份", save: "保存", releasedfile: "脱敏文本", input: "病历原文",
    go: "标注", file: "打开文件", key: "API 密钥", output: "标注结果", releasedname: "脱敏文本", span: "选中的文字",
    kind: "类型", entity: "实体", entities: "实体", label: "标签", put: "添加", drop: "删除", undo: "撤销", diagnoses: "诊断", code: "编码",
    keys: "鼠标：选中文字，或点击标注。键盘：← → 逐个标注；w W 逐字词，e E 末尾增减，b B 开头增减；回车添加或改标签，Delete 删除，u 撤销，Esc 取消。",
    facts: "字", working: "处理中……", done: "完成", none: "无", lost: "重新标注会丢失对此份病历的修改，是否继续？",
    busy: "服务繁忙，稍后重试，秒数", reach: "无法连接服务。", needkey: "需要 API 密钥。", failed: "此份病历处理失败",
    bad: "无法读取文件：需要 UTF-8 的文本或 JSON Lines。", large: "内容过大，最多 4 MB。", evidence: "依据", added: "已添加",
    removed: "已删除", saved: "已保存", negated: "否定", uncertain: "不确定", historical: "既往", hypothetical: "假设",
    patient: "患者", family: "家族", other: "他人", whose: "所属", modes: { tag: "[NAME]", mask: "掩码", placeholder: "[NAME-1]", surrogate: "替身" },
  },
};
